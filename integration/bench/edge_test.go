package main

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRequestsAreWhatTheDocumentationSays holds the numbers of docs/performance.md.
func TestRequestsAreWhatTheDocumentationSays(t *testing.T) {
	w, err := workloadNamed("edge")
	if err != nil {
		t.Fatal(err)
	}
	s := &setting{workload: w}
	fewest, most := 100, 0
	for _, text := range w.requests {
		r, err := s.request("127.0.0.1:1", text)
		if err != nil {
			t.Fatal(err)
		}
		fewest, most = min(fewest, len(r.Header)), max(most, len(r.Header))
		if cookies := r.Cookies(); len(cookies) != 4 {
			t.Errorf("%d cookies in %q", len(cookies), text)
		}
	}
	if fewest != 13 || most != 15 {
		t.Errorf("requests have %d to %d headers", fewest, most)
	}
	header, body, _ := strings.Cut(string(w.answer(1)), "\r\n\r\n")
	if headers := strings.Count(header, "\r\n"); headers != 10 || len(body)/100 != 100 {
		t.Errorf("the answer has %d headers, and a body of %d bytes", headers, len(body))
	}
	if _, err := workloadNamed("typo"); err == nil || !strings.Contains(err.Error(), "cleartext, edge") {
		t.Errorf("a workload that there is not: %v", err)
	}
}

// TestEncryptedClientRefuses: what is not the workload's answer, over HTTP/2, must not count.
func TestEncryptedClientRefuses(t *testing.T) {
	w, err := workloadNamed("edge")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		http2  bool
		status int
		body   string
		want   string // in the error; "": none
	}{
		"what was asked for": {true, http.StatusOK, page, ""},
		"HTTP/1.1":           {false, http.StatusOK, page, "over HTTP/1.1"},
		"a failure":          {true, http.StatusBadGateway, page, "502 Bad Gateway"},
		"another page":       {true, http.StatusOK, "short", "5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			server.EnableHTTP2 = test.http2
			server.StartTLS()
			defer server.Close()
			s, err := newSetting(filepath.Join(t.TempDir(), "gateway"), w, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.addrs = map[string]string{"served": server.Listener.Addr().String()}
			s.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			s.transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
			s.transport.TLSClientConfig.ServerName = "example.com" // which that certificate is for
			c, err := s.connect("served", 2)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			err = c.send(3)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestRecords reads an access log, and metrics, as gateways write them.
func TestRecords(t *testing.T) {
	s := &setting{dir: t.TempDir(), workload: workloads[1]}
	if _, err := s.logged(); err == nil {
		t.Error("an access log that there is not passes")
	}
	log := filepath.Join(s.dir, accessLog)
	const lines = `{"RequestProtocol":"HTTP/2.0"}` + "\n" + `{"request":{"proto":"HTTP/2.0"}}` + "\n" + `{"RequestProtocol":"HTTP/1.1"}` + "\n"
	if err := os.WriteFile(log, []byte(lines+`{"RequestProtocol":"HT`), 0o600); err != nil {
		t.Fatal(err)
	}
	if count, err := s.logged(); err != nil || count != 2 {
		t.Errorf("%d requests in the access log, %v", count, err)
	}
	if err := s.emptyLog(); err != nil {
		t.Fatal(err)
	}
	if count, err := s.logged(); err != nil || count != 0 {
		t.Errorf("%d requests in an access log that was emptied, %v", count, err)
	}
	if err := os.WriteFile(log, []byte("127.0.0.1 - -\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.logged(); err == nil {
		t.Error("an access log that is not JSON passes")
	}

	status := http.StatusOK
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "# TYPE requests counter\nrequests{code=\"200\",name=\"a b\"} 3\nrequests{code=\"404\"} 1e+01\nrequests_bytes{code=\"200\"} 5\n")
	}))
	defer prometheus.Close()
	m := metrics{addr: strings.TrimPrefix(prometheus.URL, "http://"), counter: "requests"}
	if count, err := m.requests(); err != nil || count != 13 {
		t.Errorf("%d requests in the metrics, %v", count, err)
	}
	status = http.StatusNotFound
	if _, err := m.requests(); err == nil {
		t.Error("metrics that there are not pass")
	}
}
