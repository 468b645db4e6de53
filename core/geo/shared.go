package geo

import (
	"bytes"
	"sync"
)

// The databases of this process, by path: rollouts that name the same file hold it once, and so do an old and a new
// configuration.
var (
	sharedMu sync.Mutex
	shared   = map[string]*Database{} // guarded by sharedMu
	users    = map[string]int{}       // guarded by sharedMu: of those that hold one
)

// share reads a file, unless it was read with the same content.
func share(path string, content []byte) (*Database, error) {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	known := shared[path]
	if known != nil && bytes.Equal(known.content, content) {
		return known, nil
	}
	database, err := Read(content)
	if err != nil {
		return nil, err
	}
	shared[path] = database
	return database, nil
}

// Hold keeps the databases shared until [Places.Release], for those who come later. Whoever uses places calls both once.
func (p *Places) Hold() { p.count(1) }

// Release ends Hold. Databases that nobody holds are not shared any more, and go when nobody uses them: a configuration
// that was made but never used holds none.
func (p *Places) Release() {
	p.count(-1)
	sharedMu.Lock()
	defer sharedMu.Unlock()
	for path := range shared {
		if users[path] == 0 {
			delete(shared, path)
		}
	}
}

func (p *Places) count(by int) {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	for _, s := range p.sources {
		users[s.path] += by
		if users[s.path] == 0 {
			delete(users, s.path)
		}
	}
}
