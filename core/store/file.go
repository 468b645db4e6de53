package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// File is a store in one file, which is replaced as a whole: whoever reads it sees all of the old or all of the new
// content, whatever dies in between. Several processes may use the same file, each for a short time: they take turns by
// a file with ".lock" behind its name, and whoever meets a document that somebody else has replaced gets ErrConflict.
//
// A file that is damaged is moved aside, with ".damaged-" and the time behind its name, and reported; the store is empty
// then. One that cannot be read, or that a newer version of this program wrote, is left alone: that is an error. So is a
// directory that is not there.
type File struct {
	path   string
	report func(error)

	mu      sync.Mutex // held while the file is replaced, so that one process takes its turns in order
	waiting waiting    // for a turn; guarded by mu

	reporting sync.Mutex
	reported  string // guarded by reporting
}

// NewFile returns the store in a file, which the first Swap makes if it is not there; the directory must be. report is
// told what an operator should know, once for each new fault; nil: nobody is.
func NewFile(path string, report func(error)) *File {
	return &File{path: path, report: report}
}

const (
	fileFormat = 1
	maxFile    = 64 << 20
	pollEvery  = 2 * time.Second
)

// contents are what is in the file.
type contents struct {
	Format    int              `json:"format"`
	Changes   int64            `json:"changes"` // counts them
	Documents map[string]entry `json:"documents"`
}

type entry struct {
	Version string          `json:"version"`
	Content json.RawMessage `json:"content"`
}

var errDamaged = errors.New("damaged")

// Load returns a document.
func (f *File) Load(ctx context.Context, name string) (Document, error) {
	c, err := f.read()
	if errors.Is(err, errDamaged) {
		c, err = f.repair(ctx)
	}
	if err != nil {
		return Document{}, err
	}
	return Document{Version: c.Documents[name].Version, Content: c.Documents[name].Content}, nil
}

// Swap replaces the content of a document.
func (f *File) Swap(ctx context.Context, name, version string, content []byte) (string, error) {
	if err := Check(content); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l, err := f.lock(ctx)
	if err != nil {
		return "", err
	}
	defer l.unlock()
	c, err := f.readOrMoveAside()
	if err != nil {
		return "", err
	}
	if c.Documents[name].Version != version {
		return "", ErrConflict
	}
	c.Changes++
	next := strconv.FormatInt(c.Changes, 10) + "-" + l.token // unlike any other, even if counting began anew
	c.Documents[name] = entry{Version: next, Content: content}
	if err := f.write(c, l); err != nil {
		return "", err
	}
	return next, nil
}

// Watch calls changed with every version that it sees, every two seconds.
func (f *File) Watch(ctx context.Context, name string, changed func(Document)) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	seen := Document{Version: "none yet"}
	var info fs.FileInfo
	for ctx.Err() == nil {
		now, err := os.Stat(f.path)
		if err != nil || info == nil || !os.SameFile(now, info) || !now.ModTime().Equal(info.ModTime()) || now.Size() != info.Size() {
			document, err := f.Load(ctx, name)
			if err != nil {
				return err
			}
			info = now // of before it was read: a change in between is seen the next time
			if document.Version != seen.Version {
				seen = document
				changed(document)
			}
		}
		await.First(ctx.Done(), ticker.C)
	}
	return ctx.Err()
}

// target returns the file itself where the path is a symbolic link to it: the link stays when the file is replaced.
func (f *File) target() string {
	if target, err := filepath.EvalSymlinks(f.path); err == nil {
		return target
	}
	return f.path
}

// read returns what is in the file; nothing if it is not there.
func (f *File) read() (contents, error) {
	empty := contents{Format: fileFormat, Documents: map[string]entry{}}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(f.path)); err != nil { // such as a volume that is not mounted yet
			return contents{}, fmt.Errorf("reading the state: the directory has to be there: %w", err)
		}
		return empty, nil
	}
	if err != nil {
		return contents{}, fmt.Errorf("reading the state: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	_ = file.Close() // nothing was written to it
	if err != nil {
		return contents{}, fmt.Errorf("reading the state: %w", err)
	}
	if len(text) > maxFile {
		return contents{}, fmt.Errorf("the state in %s is %w: more than %d bytes", f.path, errDamaged, maxFile)
	}
	var c contents
	err = json.Unmarshal(text, &c)
	if newer(text) {
		return contents{}, fmt.Errorf("the state in %s was written by a newer version, and this one knows format %d: use that version, or another file", f.path, fileFormat)
	}
	if err != nil {
		return contents{}, fmt.Errorf("the state in %s is %w: %w", f.path, errDamaged, err)
	}
	if c.Format != fileFormat || c.Changes < 0 {
		return contents{}, fmt.Errorf("the state in %s is %w: it says nothing of its format", f.path, errDamaged)
	}
	if c.Documents == nil {
		c.Documents = empty.Documents
	}
	return c, nil
}

// newer reports whether a text has a format that this version does not know, whatever else is in it.
func newer(text []byte) bool {
	var head struct {
		Format int `json:"format"`
	}
	return json.Unmarshal(text, &head) == nil && head.Format > fileFormat
}

// repair moves a damaged file aside when it is this process's turn, if it is still damaged then.
func (f *File) repair(ctx context.Context) (contents, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, err := f.lock(ctx)
	if err != nil {
		return contents{}, err
	}
	defer l.unlock()
	return f.readOrMoveAside()
}

// readOrMoveAside returns what is in the file, which must be locked.
func (f *File) readOrMoveAside() (contents, error) {
	c, damage := f.read()
	if !errors.Is(damage, errDamaged) {
		return c, damage
	}
	target := f.target()
	aside := target + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Rename(target, aside); err != nil {
		return contents{}, fmt.Errorf("%w; moving it aside: %w", damage, err)
	}
	f.tell(fmt.Errorf("%w; it is in %s now, and what it held is forgotten", damage, aside))
	return contents{Format: fileFormat, Documents: map[string]entry{}}, nil
}

// write replaces the file.
func (f *File) write(c contents, l *fileLock) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	target := f.target()
	// What dead processes left, and what makes one that was only slow fail when it wakes up.
	if leftovers, err := filepath.Glob(escaped(target) + ".new-*"); err == nil {
		for _, leftover := range leftovers {
			_ = os.Remove(leftover)
		}
	}
	fresh := target + ".new-" + l.token
	if err := writeSynced(fresh, text); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("writing the state to %s: %w", f.path, cause(err))
	}
	if !l.held() {
		_ = os.Remove(fresh)
		return fmt.Errorf("writing the state took so long that another process took over: %w", ErrConflict)
	}
	if err := os.Rename(fresh, target); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("writing the state to %s: %w", f.path, cause(err))
	}
	f.tell(syncDirectory(filepath.Dir(target)))
	return nil
}

// cause returns an error without the name of a file that is another one each time, so that the same fault reads the
// same.
func cause(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func writeSynced(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		_ = file.Close()
		return err
	}
	if err := file.Sync(); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// syncDirectory makes a new name survive a loss of power. Not every file system can: the content is safe all the same.
func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	err = directory.Sync()
	_ = directory.Close() // nothing was written through it
	if err != nil {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	return nil
}

// tell reports a fault, unless it is the last one again.
func (f *File) tell(fault error) {
	if fault == nil || f.report == nil {
		return
	}
	f.reporting.Lock()
	again := f.reported == fault.Error()
	f.reported = fault.Error()
	f.reporting.Unlock()
	if !again {
		f.report(fault)
	}
}

// escaped returns a path that a pattern of filepath.Glob matches literally.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
