package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	// etcdPage is how many reports are read at once, so that the largest fit into an answer, and longestPage how many of those
	// that are not as large.
	etcdPage    = 48
	longestPage = 1000

	// etcdCrowd is how many times more reports there are than wanted where they are sought among a sixteenth of all first.
	etcdCrowd = 32
)

// etcdReading is how far the reports of a rollout have been read. etcd counts the keys of a range to its end, however few of
// them it is asked for: of a thousand gateways that would be a million, so that each sees the first sixteen. And in short
// pages a thousand reports would be counted ten times.
type etcdReading struct {
	prefix    string
	from, end []byte
	page      int64
	begun     bool  // whether anything of the range was read
	count     int64 // of the reports up to the range's end
	reports   []Report
}

// Reports returns what the members say of a rollout, in the order of their names.
func (e *Etcd) Reports(ctx context.Context, rollout string, limit int) ([]Report, error) {
	prefix := e.members + url.PathEscape(rollout) + "/"
	r := &etcdReading{prefix: prefix, from: []byte(prefix), end: after(prefix), page: etcdPage}
	if limit > 0 && e.reports.crowd.Load() >= int64(limit)*etcdCrowd {
		r.end = []byte(prefix + "1") // names are hexadecimal numbers that chance has drawn
	}
	for {
		page := r.page
		if left := int64(limit - len(r.reports)); limit > 0 && left < page {
			page = left
		}
		found, err := e.find(ctx, etcdRangeRequest{Key: r.from, RangeEnd: r.end, Limit: page})
		if errors.Is(err, errEtcdLonger) && r.page > etcdPage {
			r.page = etcdPage // a few are longer than those before
			continue
		}
		if err != nil {
			return nil, err
		}
		if !r.begun {
			r.begun = true
			r.count += found.Count
		}
		if err := r.add(found); err != nil {
			return nil, err
		}
		switch {
		case limit > 0 && len(r.reports) >= limit:
			e.reports.know(r)
			return r.reports, nil
		case int64(len(found.KVs)) == page:
		case bytes.Equal(r.end, after(prefix)):
			e.reports.know(r)
			return r.reports, nil
		default:
			r.from = r.end
			r.end = after(prefix)
			r.begun = false
		}
	}
}

// know remembers how many reports there are, if that was seen.
func (r *etcdReports) know(read *etcdReading) {
	if bytes.Equal(read.end, after(read.prefix)) {
		r.crowd.Store(read.count)
	}
}

// add takes in what was found.
func (r *etcdReading) add(found *etcdRange) error {
	longest := 0
	for _, kv := range found.KVs {
		if bytes.Compare(kv.Key, r.from) < 0 || !strings.HasPrefix(string(kv.Key), r.prefix) {
			return fmt.Errorf("reading %s: %w", r.prefix, errEtcdAnswer)
		}
		if len(kv.Value) > longest {
			longest = len(kv.Value)
		}
		r.from = append(append([]byte(nil), kv.Key...), 0)
		member, err := url.PathUnescape(string(kv.Key)[len(r.prefix):])
		if err == nil && CheckReport(kv.Value) == nil { // else somebody else has written it
			r.reports = append(r.reports, Report{Member: member, Content: kv.Value})
		}
	}
	r.page = pageOf(longest)
	return nil
}

// pageOf returns how many reports fit into half an answer if none is longer than those before.
func pageOf(longest int) int64 {
	const around = 512 // what JSON says of a key, and the key
	page := maxEtcdAnswer / 2 / int64(2*longest+around)
	switch {
	case page < etcdPage:
		return etcdPage
	case page > longestPage:
		return longestPage
	}
	return page
}
