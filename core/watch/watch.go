// Package watch keeps the files loaded that a configuration names: lists of users, keys, databases.
package watch

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// Every is how often files are looked at. Polling sees what notifications miss: network file systems, bind mounts, and
// the symbolic links by which Kubernetes swaps a volume.
const Every = 2 * time.Second

// Files is a set of files that are read whole and read again when they change. The zero value is empty and ready.
// It is safe for concurrent use.
type Files struct {
	mu    sync.Mutex
	files []*file // guarded by mu
}

type file struct {
	path  string
	load  func(content []byte) error
	seen  fs.FileInfo // of the content that was loaded or refused last; nil if the file could not be read
	fault string      // what was last wrong, so that it is reported once and not every two seconds
}

// Add reads a file into load, at once, and remembers it for [Files.Check]. A file that cannot be read or that load
// refuses is an error, and is not remembered. load is never called twice at the same time for one file.
func (f *Files) Add(path string, load func(content []byte) error) error {
	added := &file{path: path, load: load}
	if err := added.read(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files = append(f.files, added)
	return nil
}

// Check looks at every file once and loads those whose time, size or identity changed. Where that fails, what was
// loaded before stays, and report is told once for every new fault. A file that is well again is reported with nil.
func (f *Files) Check(report func(path string, err error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		if file.unchanged() {
			continue
		}
		fault := ""
		err := file.read()
		if err != nil {
			fault = err.Error()
		}
		if fault != file.fault || err == nil {
			file.fault = fault
			report(file.path, err)
		}
	}
}

// Run checks the files until the context ends, if there are any by now.
func (f *Files) Run(ctx context.Context, report func(path string, err error)) {
	f.mu.Lock()
	none := len(f.files) == 0
	f.mu.Unlock()
	if none {
		return
	}
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		if at, _ := await.First(ctx.Done(), ticker.C); at == 0 {
			return
		}
		f.Check(report)
	}
}

func (f *file) unchanged() bool {
	now, err := os.Stat(f.path)
	return err == nil && f.seen != nil &&
		now.ModTime().Equal(f.seen.ModTime()) && now.Size() == f.seen.Size() && os.SameFile(now, f.seen)
}

// read loads the file. It looks at the file before reading it: a change in between is then seen by the next look.
func (f *file) read() error {
	f.seen = nil
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("reading a file: %w", err)
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading a file: %w", err)
	}
	f.seen = info
	if err := f.load(content); err != nil {
		return fmt.Errorf("reading %s: %w", f.path, err)
	}
	return nil
}
