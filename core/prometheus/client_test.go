package prometheus

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/await"
)

// vectorOf is an answer with these samples.
func vectorOf(samples ...string) string {
	series := make([]string, 0, len(samples))
	for _, s := range samples {
		series = append(series, `{"metric":{"job":"x"},"value":[1435781451.781,"`+s+`"]}`)
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
}

// says returns a handler that answers with a status and a text.
func says(status int, content string) func(w http.ResponseWriter, r *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, content)
	}
}

func serve(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(answer))
	t.Cleanup(func() { server.Close() })
	return server
}

// counted returns what was counted, in the order of the fields.
func counted(c *Client) []int64 {
	n := &c.Counts
	return []int64{
		n.Answered.Load(), n.TimedOut.Load(), n.Unreachable.Load(), n.Refused.Load(), n.Malformed.Load(), n.Empty.Load(), n.Several.Load(),
		n.NotFinite.Load(),
	}
}

func TestQuery(t *testing.T) {
	scalar := `{"status":"success","data":{"resultType":"scalar","result":[1435781451.781,"-2.5e-3"]},"warnings":["partial"],"new":{}}`
	for _, c := range []struct {
		name   string
		status int
		answer string
		value  float64
		kind   error
		text   string
	}{
		{"a scalar", 200, scalar, -0.0025, nil, ""},
		{"one series", 200, vectorOf("0.01"), 0.01, nil, ""},
		{"zero", 200, vectorOf("0"), 0, nil, ""},
		{"no series", 200, vectorOf(), 0, ErrEmpty, "no series"},
		{"two series", 200, vectorOf("1", "2"), 0, ErrSeveral, "there are 2"},
		{"not a number", 200, vectorOf("NaN"), 0, ErrNotFinite, "NaN"},
		{"infinite", 200, vectorOf("+Inf"), 0, ErrNotFinite, "+Inf"},
		{"minus infinite", 200, vectorOf("-Inf"), 0, ErrNotFinite, "-Inf"},
		{"a wrong query", 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 0, ErrRefused, `400: "bad_data": "parse error"`},
		{"an error with data", 200, `{"status":"error","errorType":"x","error":"y","data":{"resultType":"scalar","result":[1,"1"]}}`, 0, ErrRefused, `"x": "y"`},
		{"nobody may ask", 401, "<html>", 0, ErrRefused, "status 401"},
		{"a broken server that answers", 500, vectorOf("1"), 0, ErrRefused, "status 500"},
		{"another page", 200, "<html>", 0, ErrMalformed, "no JSON"},
		{"nothing", 200, "", 0, ErrMalformed, "no JSON"},
		{"another JSON", 200, `{}`, 0, ErrMalformed, "no JSON with a status"},
		{"a list", 200, `[]`, 0, ErrMalformed, "no JSON with a status"},
		{"a matrix", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, 0, ErrMalformed, `a "matrix"`},
		{"a string", 200, `{"status":"success","data":{"resultType":"string","result":[1,"1"]}}`, 0, ErrMalformed, `a "string"`},
		{"a histogram", 200, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`, 0, ErrMalformed, "histogram"},
		{"no result", 200, `{"status":"success","data":{"resultType":"vector"}}`, 0, ErrMalformed, "no vector"},
		{"no scalar", 200, `{"status":"success","data":{"resultType":"scalar","result":{}}}`, 0, ErrMalformed, "no sample"},
		{"half a sample", 200, `{"status":"success","data":{"resultType":"scalar","result":[1]}}`, 0, ErrMalformed, "no sample"},
		{"a number that is no text", 200, `{"status":"success","data":{"resultType":"scalar","result":[1,1]}}`, 0, ErrMalformed, "no number"},
		{"a word", 200, vectorOf("many"), 0, ErrMalformed, `"many" is no number`},
		{"as much as there may be", 200, scalar + strings.Repeat(" ", maxAnswer-len(scalar)), -0.0025, nil, ""},
		{"too much", 200, scalar + strings.Repeat(" ", maxAnswer-len(scalar)+1), 0, ErrMalformed, "longer than 1048576 bytes"},
	} {
		client := NewClient(nil)
		client.Configure(Server{URL: serve(t, says(c.status, c.answer)).URL})
		value, err := client.Query(context.Background(), "up")
		if value != c.value || !errors.Is(err, c.kind) {
			t.Errorf("%s: got %v, %v", c.name, value, err)
		}
		if err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v has no %q", c.name, err, c.text)
		}
		want := make([]int64, 8)
		want[position(c.kind)] = 1
		if got := counted(client); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: counted %v, want %v", c.name, got, want)
		}
	}
}

// position returns where errors of a kind are counted.
func position(kind error) int {
	for i, k := range []error{nil, ErrTimeout, ErrUnreachable, ErrRefused, ErrMalformed, ErrEmpty, ErrSeveral, ErrNotFinite} {
		if errors.Is(kind, k) {
			return i
		}
	}
	return -1
}

// TestRequest: what is asked is what the API's documentation says, as whom the configuration says.
func TestRequest(t *testing.T) {
	var method, uri, form, authorization, contentType string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		method = r.Method
		uri = r.RequestURI
		contentType = r.Header.Get("Content-Type")
		authorization = r.Header.Get("Authorization")
		if _, sent := r.Header["Idempotency-Key"]; sent {
			t.Error("an idempotency key is sent")
		}
		body, _ := io.ReadAll(r.Body)
		form = string(body)
		_, _ = io.WriteString(w, vectorOf("1"))
	})
	client := NewClient(nil)
	for _, c := range []struct {
		server                   Server
		uri, timeout, authorized string
	}{
		{Server{URL: server.URL}, "/api/v1/query", "5", ""},
		{Server{URL: server.URL + "/prometheus/?tenant=a", Timeout: 1500 * time.Millisecond, BearerToken: "t0ken"}, "/prometheus/api/v1/query?tenant=a", "1.5", "Bearer t0ken"},
		{Server{URL: server.URL + "/", Timeout: 30 * time.Second, Username: "me", Password: "hush"}, "/api/v1/query", "30", "Basic bWU6aHVzaA=="},
	} {
		client.Configure(c.server)
		if _, err := client.Query(context.Background(), `sum(rate(x{code=~"5.."}[1m]))&time=0`); err != nil {
			t.Error(err)
		}
		if method != http.MethodPost || uri != c.uri || contentType != "application/x-www-form-urlencoded" || authorization != c.authorized {
			t.Errorf("asked %s %s with %s as %s", method, uri, contentType, authorization)
		}
		if want := "query=sum%28rate%28x%7Bcode%3D~%225..%22%7D%5B1m%5D%29%29%26time%3D0&timeout=" + c.timeout; form != want {
			t.Errorf("asked %s, want %s", form, want)
		}
	}
}

// TestRedirect: credentials go nowhere else.
func TestRedirect(t *testing.T) {
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("redirected with %v", r.Header)
		_, _ = io.WriteString(w, vectorOf("1"))
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		status := status
		server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+r.URL.Path, status) })
		client := NewClient(nil)
		client.Configure(Server{URL: server.URL, BearerToken: "hush"})
		if _, err := client.Query(context.Background(), "up"); !errors.Is(err, ErrRefused) {
			t.Errorf("%d: error %v", status, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	client := NewClient(nil)
	if _, err := client.Query(context.Background(), "up"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("not configured: error %v", err)
	}
	client.Configure(Server{URL: "http://127.0.0.1:1/?key=hush", BearerToken: "hush"})
	if _, err := client.Query(context.Background(), "up"); !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "hush") {
		t.Errorf("gone: error %v", err)
	}
	for _, headers := range []bool{false, true} {
		headers := headers
		slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if headers {
				w.WriteHeader(http.StatusOK)
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.Copy(io.Discard, r.Body) // or nobody would see the client go
			<-r.Context().Done()
		})
		client.Configure(Server{URL: slow.URL + "/?key=hush", Timeout: 50 * time.Millisecond})
		if _, err := client.Query(context.Background(), "up"); !errors.Is(err, ErrTimeout) || strings.Contains(err.Error(), "hush") {
			t.Errorf("headers %v: error %v", headers, err)
		}
	}
	if got := counted(client); !reflect.DeepEqual(got, []int64{0, 2, 1, 0, 0, 0, 0, 0}) {
		t.Errorf("counted %v", got)
	}
}

// TestValues: queries are asked at the same time, each once, and those without a value are left out.
func TestValues(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	together := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		mu.Lock()
		asked[query]++
		if len(asked) == 3 && asked[query] == 1 {
			close(together)
		}
		mu.Unlock()
		await.First(together, r.Context().Done())
		switch query {
		case "a":
			_, _ = io.WriteString(w, vectorOf("1"))
		case "b":
			_, _ = io.WriteString(w, vectorOf("0"))
		default:
			_, _ = io.WriteString(w, vectorOf())
		}
	})
	var logged bytes.Buffer
	client := NewClient(nil)
	client.SetLog(slog.New(slog.NewTextHandler(&logged, nil)))
	client.Configure(Server{URL: server.URL, BearerToken: "hush", Timeout: 30 * time.Second})
	for i := 0; i < 3; i++ {
		if got := client.Values(context.Background(), []string{"a", "b", "none", "a"}); !reflect.DeepEqual(got, map[string]float64{"a": 1, "b": 0}) {
			t.Errorf("got %v", got)
		}
	}
	if got := counted(client); !reflect.DeepEqual(got, []int64{6, 0, 0, 0, 0, 3, 0, 0}) || asked["a"] != 3 {
		t.Errorf("asked %v, counted %v", asked, got)
	}
	if text := logged.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "query=none error=\"no series\"") || strings.Contains(text, "hush") {
		t.Errorf("logged %s", text)
	}
	if got := client.Values(context.Background(), nil); got == nil || len(got) != 0 {
		t.Errorf("no queries: %v", got)
	}
}

// TestConfigureMeanwhile: a configuration may change while queries are open.
func TestConfigureMeanwhile(t *testing.T) {
	server := serve(t, says(http.StatusOK, vectorOf("1")))
	client := NewClient(nil)
	client.Configure(Server{URL: server.URL})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < 50; i++ {
			client.Configure(Server{URL: server.URL, BearerToken: strings.Repeat("t", i+1)})
		}
	}()
	for i := 0; i < 50; i++ {
		if values := client.Values(context.Background(), []string{"a", "b"}); len(values) != 2 {
			t.Errorf("got %v", values)
		}
	}
	<-done
}
