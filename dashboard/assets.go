package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"net/http"
	"path"
	"time"
)

//go:embed static
var static embed.FS

// assets are the files of the page, by name.
var assets = load()

// asset is one of them.
type asset struct {
	name    string
	content []byte
	tag     string
}

func load() map[string]*asset {
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err) // they are part of the program
	}
	all := map[string]*asset{}
	for _, entry := range entries {
		content, err := static.ReadFile("static/" + entry.Name())
		if err != nil {
			panic(err)
		}
		all[entry.Name()] = &asset{name: entry.Name(), content: content, tag: fmt.Sprintf(`"%.8x"`, sha256.Sum256(content))}
	}
	return all
}

// types are what files are, whatever the machine thinks of their names.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// serve answers with the file, or that the client has it. Clients ask each time: all files of a page are of one version.
func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", types[path.Ext(a.name)])
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", a.tag)
	http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.content))
}
