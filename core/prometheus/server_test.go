package prometheus

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestServerCheck(t *testing.T) {
	for _, c := range []struct {
		server Server
		want   string // the paths of the problems, and a word of each
	}{
		{Server{URL: "http://10.0.0.9:9090"}, ""},
		{Server{URL: "https://mimir.example/prometheus/?tenant=a", BearerToken: "t", Timeout: 30 * time.Second}, ""},
		{Server{URL: "http://x", Username: "u", Password: "p", Timeout: time.Millisecond}, ""},
		{Server{URL: "http://x", Username: "u"}, ""},
		{Server{}, "url: not a URL"},
		{Server{URL: "10.0.0.9:9090"}, "url: not a URL"},
		{Server{URL: "ftp://hush"}, "url: not a URL"},
		{Server{URL: "http://:9090"}, "url: not a URL"},
		{Server{URL: "http://%zzhush"}, "url: not a URL"},
		{Server{URL: "http://me:hush@x"}, "url: a name and password"},
		{Server{URL: "http://x/api/v1"}, "url: leave out /api/v1"},
		{Server{URL: "http://x/api/v1/query/"}, "url: leave out /api/v1"},
		{Server{URL: "http://x", BearerToken: "hush", Username: "u"}, "bearer_token: a request has one"},
		{Server{URL: "http://x", BearerToken: "hush", Password: "hush"}, "bearer_token: a request has one; username: there is a password"},
		{Server{URL: "http://x", Password: "hush"}, "username: there is a password"},
		{Server{URL: "http://x", Timeout: -1}, "timeout: -1ns is out of range"},
		{Server{URL: "http://x", Timeout: 30*time.Second + 1}, "timeout: 30.000000001s is out of range"},
	} {
		var got []string
		for _, p := range c.server.Check() {
			got = append(got, p.Path+": "+p.Text)
		}
		want := []string{}
		if c.want != "" {
			want = strings.Split(c.want, "; ")
		}
		right := len(got) == len(want)
		for i := range want {
			right = right && i < len(got) && strings.HasPrefix(got[i], want[i])
		}
		if !right || strings.Contains(fmt.Sprint(got), "hush") {
			t.Errorf("%s: got %q, want %q", c.server.URL, got, c.want)
		}
	}
}

func TestCheckToken(t *testing.T) {
	for token, right := range map[string]bool{
		"eyJhbGciOi.J9-_~+/==": true, "": false, "two words": false, "line\n": false, "\tx": false, "caf\u00e9": false, "x\x7f": false,
	} {
		err := CheckToken(token)
		if (err == nil) != right || err != nil && token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%q: error %v", token, err)
		}
	}
}
