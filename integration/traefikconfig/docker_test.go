package traefikconfig

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// container is a container as Traefik sees it. It runs, and has the address 127.0.0.1.
type container struct {
	name   string
	labels map[string]string
}

// startDocker answers as much of the Docker Engine API as Traefik asks, until the test ends, and returns its address.
func startDocker(t *testing.T, containers ...container) string {
	t.Helper()
	mux := http.NewServeMux()
	object := func(pattern string, value func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if err := json.NewEncoder(w).Encode(value(r)); err != nil {
				t.Error(err)
			}
		})
	}
	type fields = map[string]any
	object("/_ping", func(*http.Request) any { return "OK" })
	object("/{v}/version", func(*http.Request) any { return fields{"Version": "28.0.0", "ApiVersion": "1.48"} })
	object("/{v}/containers/json", func(*http.Request) any {
		list := []fields{}
		for _, c := range containers {
			list = append(list, fields{"Id": c.name, "Names": []string{"/" + c.name}, "Labels": c.labels, "State": "running"})
		}
		return list
	})
	object("/{v}/containers/{id}/json", func(r *http.Request) any {
		for _, c := range containers {
			if c.name == r.PathValue("id") {
				return fields{
					"Id": c.name, "Name": "/" + c.name, "State": fields{"Status": "running", "Running": true},
					"HostConfig": fields{"NetworkMode": "shop"}, "Config": fields{"Labels": c.labels},
					"NetworkSettings": fields{
						"Ports":    fields{"8080/tcp": nil},
						"Networks": fields{"shop": fields{"IPAddress": "127.0.0.1"}},
					},
				}
			}
		}
		return fields{"message": "no such container"}
	})
	mux.HandleFunc("/{v}/events", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return strings.Replace(server.URL, "http://", "tcp://", 1)
}
