package traefikconfig

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is a resource of Kubernetes.
type object = map[string]any

// documents returns the objects of a YAML file as kubectl sends them: off and on are booleans there, as in YAML 1.1.
func documents(t *testing.T, text string) []object {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var list []object
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, booleans(o).(object))
	}
}

func booleans(value any) any {
	switch v := value.(type) {
	case object:
		for key := range v {
			v[key] = booleans(v[key])
		}
	case []any:
		for i := range v {
			v[i] = booleans(v[i])
		}
	case string:
		switch v {
		case "off", "no":
			return false
		case "on", "yes":
			return true
		}
	}
	return value
}

// service returns a service of Kubernetes whose only pod is a backend.
func (b *backends) service(namespace, name string) []object {
	host, text, err := net.SplitHostPort(b.address(name + ":8080"))
	if err != nil {
		b.t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		b.t.Fatal(err)
	}
	return []object{
		{
			"apiVersion": "v1", "kind": "Service", "metadata": object{"name": name, "namespace": namespace},
			"spec": object{"type": "ClusterIP", "ports": []any{object{"name": "http", "port": 8080}}},
		},
		{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata":  object{"name": name + "-1", "namespace": namespace, "labels": object{"kubernetes.io/service-name": name}},
			"ports":     []any{object{"name": "http", "port": port}},
			"endpoints": []any{object{"addresses": []any{host}, "conditions": object{"ready": true}}},
		},
	}
}

// kinds are those of which Traefik asks for all objects. In a path they are in lower case, with an s.
var kinds = []string{"ConfigMap", "EndpointSlice", "IngressRoute", "IngressRouteTCP", "IngressRouteUDP", "Middleware", "MiddlewareTCP",
	"Node", "Secret", "ServersTransport", "ServersTransportTCP", "Service", "TLSOption", "TLSStore", "TraefikService"}

// startKubernetes answers as much of the Kubernetes API as Traefik asks, until the test ends, and returns its address: it
// lists these objects, and never sees a change.
func startKubernetes(t *testing.T, objects []object) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") != "" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return
		}
		// /api/v1/services, or /apis/traefik.io/v1alpha1/ingressroutes
		version, plural := path.Split(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/"))
		version = strings.TrimSuffix(version, "/")
		kind := slices.IndexFunc(kinds, func(kind string) bool { return strings.ToLower(kind)+"s" == plural })
		if kind < 0 {
			t.Errorf("Traefik asks for %s", r.URL.Path)
			http.NotFound(w, r)
			return
		}
		items := []object{}
		for _, o := range objects {
			if o["apiVersion"] == version && o["kind"] == kinds[kind] {
				items = append(items, o)
			}
		}
		list := object{"apiVersion": version, "kind": kinds[kind] + "List", "metadata": object{"resourceVersion": "1"}, "items": items}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}
