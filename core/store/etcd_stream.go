package store

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

type etcdWatchRequest struct {
	Create etcdWatchCreate `json:"create_request"`
}

type etcdWatchCreate struct {
	Key           []byte `json:"key"`
	RangeEnd      []byte `json:"range_end"`
	StartRevision int64  `json:"start_revision,string"`
}

// etcdWatch is one message of a watch: https://etcd.io/docs/latest/learning/api/#watch-streams.
type etcdWatch struct {
	Result struct {
		Created         bool        `json:"created"`
		Canceled        bool        `json:"canceled"`
		CancelReason    string      `json:"cancel_reason"`
		CompactRevision int64       `json:"compact_revision,string"`
		Events          []etcdEvent `json:"events"`
	} `json:"result"`
	Error etcdFault `json:"error"`
}

type etcdEvent struct {
	Type string `json:"type"` // empty: PUT
	KV   etcdKV `json:"kv"`
}

// stream opens a watch at one member and calls take with its messages, until the stream ends or take returns an error.
func (c *etcdClient) stream(ctx context.Context, at int, request []byte, take func(*etcdWatch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	late := time.AfterFunc(c.attempt, func() { cancel() })
	defer late.Stop()
	login, _ := c.login.Load().(*etcdLogin) // of the read before it
	response, err := c.send(ctx, at, etcdWatching, login.token, request)
	if err != nil {
		return c.lost(at, began, err).err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		content, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // what is missing makes no worse an error
		return c.refusal(at, response.StatusCode, content).err
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEtcdAnswer)
	for lines.Scan() {
		var message etcdWatch
		if err := json.Unmarshal(lines.Bytes(), &message); err != nil {
			return fmt.Errorf("%s: %w", host(c.endpoints[at]), errEtcdAnswer)
		}
		if err := c.ended(at, &message); err != nil {
			return err
		}
		if message.Result.Created {
			late.Stop()
		}
		if err := take(&message); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return c.lost(at, began, err).err
	}
	return fmt.Errorf("%s: the watch has ended", host(c.endpoints[at]))
}

// ended returns why a message is a watch's last; nil if it is not.
func (c *etcdClient) ended(at int, message *etcdWatch) error {
	switch {
	case message.Error.Message != "":
		return fmt.Errorf("%s: the watch has ended: %s", host(c.endpoints[at]), c.quoted(message.Error.Message))
	case message.Result.Canceled && message.Result.CompactRevision > 0:
		return errEtcdCompacted
	case message.Result.Canceled:
		return fmt.Errorf("%s: the watch is canceled: %s", host(c.endpoints[at]), c.quoted(message.Result.CancelReason))
	}
	return nil
}

// staying calls leave when requests go to another member than this one, which may hang, and keep its streams open.
func (c *etcdClient) staying(ctx context.Context, leave context.CancelFunc, at int) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		if at, _ := await.First(ctx.Done(), ticker.C); at == 0 {
			return
		}
		if int(c.working.Load()) != at {
			leave()
			return
		}
	}
}
