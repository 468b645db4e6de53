package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"time"
)

type etcdWatchRequest struct {
	Create etcdWatchCreate `json:"create_request"`
}

type etcdWatchCreate struct {
	Key           []byte `json:"key"`
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

// etcdRenew is how long a watch lasts, and up to half as long again, before the document is read anew: a member that
// hangs keeps its connections, and nobody could tell its silence from one in which nothing changes.
const etcdRenew = 30 * time.Second

var errEtcdCompacted = errors.New("what is watched from is compacted")

// Watch calls changed with the document as it is, and with the last version of every message that etcd sends of it.
func (e *Etcd) Watch(ctx context.Context, name string, changed func(Document)) error {
	seen := "none yet"
	tell := func(d Document) {
		if d.Version != seen {
			seen = d.Version
			changed(d)
		}
	}
	for ctx.Err() == nil {
		document, revision, err := e.read(ctx, name)
		if err != nil {
			return err
		}
		tell(document)
		err = e.follow(ctx, e.key(name), revision+1, tell)
		if err != nil && !errors.Is(err, errEtcdCompacted) && ctx.Err() == nil {
			return fmt.Errorf("watching %s: %w", e.key(name), err)
		}
	}
	return ctx.Err()
}

// follow calls changed with what becomes of a key from a revision on, until the stream ends, or with a nil error until it
// has lasted long enough.
func (e *Etcd) follow(ctx context.Context, key []byte, revision int64, changed func(Document)) error {
	request, err := json.Marshal(etcdWatchRequest{Create: etcdWatchCreate{Key: key, StartRevision: revision}})
	if err != nil {
		return err
	}
	lasting, cancel := context.WithTimeout(ctx, e.renew+time.Duration(rand.Int63n(int64(e.renew)/2)))
	defer cancel()
	at := int(e.client.working.Load())
	err = e.client.stream(lasting, at, request, func(message *etcdWatch) error {
		if len(message.Result.Events) == 0 {
			return nil
		}
		event := message.Result.Events[len(message.Result.Events)-1]
		if event.Type == "DELETE" {
			changed(Document{})
			return nil
		}
		document, err := event.KV.document(key)
		if err != nil {
			return err
		}
		changed(document)
		return nil
	})
	if lasting.Err() != nil {
		return ctx.Err()
	}
	if !errors.Is(err, errEtcdCompacted) && !errors.Is(err, ErrDocument) {
		e.client.avoid(at)
	}
	return err
}

// stream opens a watch at one member and calls take with its messages, until the stream ends or take returns an error.
func (c *etcdClient) stream(ctx context.Context, at int, request []byte, take func(*etcdWatch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late := time.AfterFunc(etcdAttempt, func() { cancel() })
	defer late.Stop()
	login, _ := c.login.Load().(*etcdLogin) // of the read before it
	response, err := c.send(ctx, at, "/v3/watch", login.token, request)
	if err != nil {
		return c.lost(at, err).err
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
		return c.lost(at, err).err
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
