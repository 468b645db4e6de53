package mirror

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"
)

// transport is what copies take to URLs. Connections that are not used end by themselves.
var transport = newTransport()

func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address) // Yaegi cannot pass methods of compiled types as functions
		},
		TLSHandshakeTimeout:   5 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   DefaultConcurrency,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // the client's encodings go to the target as they are
	}
}

// clientKey finds the address of the client in a copy's context. It is a pointer, because the interpreter gives all empty
// struct types one identity.
var clientKey = new(int)

// To returns a sender to a URL, to whose path that of a request is added. It says in X-Forwarded-For, -Host and -Proto whose
// request it was, in the place of what the client said. passHost tells that the Host header stays the client's, as a variant
// expects it; else it is the URL's.
func To(target *url.URL, passHost bool) Sender {
	return func(r *http.Request) (*http.Response, error) {
		in := *r
		address, _ := r.Context().Value(clientKey).(string)
		if _, err := netip.ParseAddr(address); err == nil {
			in.RemoteAddr = net.JoinHostPort(address, "0")
		}
		for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			delete(r.Header, name)
		}
		p := &httputil.ProxyRequest{In: &in, Out: r}
		p.SetXForwarded()
		p.SetURL(target)
		if passHost {
			r.Host = in.Host
		}
		if len(r.Header["User-Agent"]) == 0 {
			r.Header["User-Agent"] = []string{""} // or the transport names itself
		}
		response, err := transport.RoundTrip(r)
		return response, err
	}
}
