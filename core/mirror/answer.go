package mirror

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// answer is what there is to compare of one.
type answer struct {
	status  int // 0: there is none
	header  http.Header
	body    []byte        // its first MaxAnswer bytes, if a comparison looks at bodies
	cut     bool          // whether there was more
	latency time.Duration // to the first byte, since the request was known as a whole; 0: it was not known before
	torn    bool          // whether the client did not get all that was written
	whole   bool          // whether all of it was seen
	fault   fault
}

// fault is why a copy has no answer.
type fault uint8

const (
	none fault = iota
	timedOut
	failed
	stopped // the gateway's doing: it says nothing about the target
)

// Compares reports whether the host has to tell what the client is answered. If not, only [Copies.End] is expected.
func (c *Copies) Compares() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.waiting {
		if k.differences != nil {
			return true
		}
	}
	return len(c.waiting) == 0 && c.left > 0
}

// Answered tells the status and the headers that the client is answered with, before anything changes them on the way to
// him. Informational answers and all but the first are left out.
func (c *Copies) Answered(status int, header http.Header) {
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.over || c.answer.status != 0 {
		return
	}
	c.answer.status = status
	c.answer.header = header.Clone()
	if !c.ready.IsZero() {
		c.answer.latency = time.Since(c.ready)
	}
}

// Wrote tells what the client is answered further: a part of the body, which is copied. err is why he did not get more: the
// answer is not whole then, and compared with nothing.
func (c *Copies) Wrote(p []byte, err error) {
	if !c.keeps && err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 || c.over {
		return
	}
	if c.keeps {
		c.answer.keep(p)
	}
	if err != nil {
		c.answer.torn = true
	}
}

func (a *answer) keep(p []byte) {
	if room := MaxAnswer - len(a.body); len(p) > room {
		p = p[:room]
		a.cut = true
	}
	a.body = append(a.body, p...)
}

// End tells that the request's handler is done, whatever became of it. whole says that the client was answered by the
// variant, and in full: else there is nothing to compare with, and above all not with an error of the gateway itself.
func (c *Copies) End(whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	c.abandon()
	c.answer.whole = whole && c.answer.status != 0 && !c.answer.torn
	close(c.ended)
}

// Watch does for a proxy what Answered and Wrote do: it reads along when the response is passed on.
func (c *Copies) Watch(response *http.Response) {
	c.Answered(response.StatusCode, response.Header)
	if c.keeps && response.StatusCode != http.StatusSwitchingProtocols { // whose body is a connection
		response.Body = &watched{source: response.Body, copies: c}
	}
}

// Tee returns a reader that does what Wrote does with all that is read from another.
func (c *Copies) Tee(from io.Reader) io.Reader {
	if !c.keeps {
		return from
	}
	return &watched{source: io.NopCloser(from), copies: c}
}

// watched is the body of a response that is passed on.
type watched struct {
	source io.ReadCloser
	copies *Copies
}

// Read passes on what the variant answered.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.source.Read(p)
	w.copies.Wrote(p[:n], nil) // an error is not the client's
	return n, err
}

// Close closes the response's body.
func (w *watched) Close() error { return w.source.Close() }

// client returns what the client was answered, or nil if that is not known in time, or not in full.
func (c *Copies) client(ctx context.Context, patience time.Duration) *answer {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	if at, _ := await.First(c.ended, timer.C, ctx.Done()); at != 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answer.whole {
		return nil
	}
	return c.answer
}

// read takes what there is of an answer. keep says that its body will be compared.
func (a *answer) read(response *http.Response, keep bool) error {
	a.status = response.StatusCode
	a.header = response.Header
	limited := &io.LimitedReader{R: response.Body, N: MaxAnswer + 1}
	if !keep {
		limited.N = maxDrained + 1
		_, err := io.Copy(io.Discard, limited)
		a.cut = limited.N == 0
		a.whole = err == nil
		return err
	}
	content, err := io.ReadAll(limited)
	a.keep(content)
	a.whole = err == nil
	return err
}

// decoded returns the body without its gzip encoding. Others are not known to the standard library, and ok is false.
func (a *answer) decoded() (content []byte, ok bool) {
	switch strings.ToLower(a.header.Get("Content-Encoding")) {
	case "", "identity":
		return a.body, true
	case "gzip", "x-gzip":
		return gunzip(a.body)
	}
	return nil, false
}

// gunzip returns what is compressed, up to MaxAnswer bytes.
func gunzip(compressed []byte) (content []byte, ok bool) {
	if len(compressed) == 0 {
		return nil, true // of a HEAD request
	}
	reader, err := gzip.NewReader(newReader(compressed))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(reader, MaxAnswer))
	return plain, err == nil
}

func newReader(content []byte) io.Reader { return bytes.NewReader(content) }
