package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/grayling-gateway/grayling/dashboard"
)

func (o *options) dashboard() *cobra.Command {
	var listen string
	var readOnly bool
	command := &cobra.Command{
		Use: "dashboard", Short: "Serve a page that shows and commands rollouts",
		Long: `Serve a page that shows rollouts live and commands them, for browsers on this machine, until it is
interrupted. The browser never gets the gateway's token.`,
		Args: heeding(cobra.NoArgs, "server", "token-file", "timeout", "address", "config", "adapter"),
		RunE: func(command *cobra.Command, _ []string) error {
			gateway, err := o.client()
			if err != nil {
				return err
			}
			page := dashboard.Handler(gateway.handler(), dashboard.Options{ReadOnly: readOnly, Gateway: gateway.name, Done: command.Context().Done()})
			listener, err := listenHere(listen)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(command.OutOrStdout(), "The rollouts of %s are at http://%s/ until Ctrl-C\n", gateway.name, listener.Addr()); err != nil {
				return errors.Join(err, listener.Close())
			}
			return serve(command.Context(), listener, here(page))
		},
	}
	command.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "the address on this machine to listen at; port 0 is a free one")
	command.Flags().BoolVar(&readOnly, "read-only", false, "show rollouts, and do not command them")
	return command
}

// listenHere listens at an address that only this machine reaches: whoever comes may do what the token allows.
func listenHere(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !isHere(host) {
		return nil, fail(exitUsage, "--listen: %q is not an address that only this machine reaches, such as 127.0.0.1:8123: for others, there are Caddy's directive rollout_dashboard, and ssh -L", address)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fail(exitRefused, "--listen: %w", err)
	}
	return listener, nil
}

// isHere reports whether a host's name is this machine's, for this machine.
func isHere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// here answers those only who call this machine by its own name. Others were led here by a name that somebody made point
// to this machine, so that his page may read the answer (DNS rebinding).
func here(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !isHere(host) {
			http.Error(w, "This is for browsers on this machine, at localhost.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve serves until the context ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(soon) != nil {
			_ = server.Close() // who is not through by now has no use for the rest
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// passed are the headers that go on to the gateway, and returned those that come back.
var (
	passed   = []string{"Accept", "Content-Type", "If-Match", "If-None-Match"}
	returned = []string{"Allow", "Content-Type", "Etag"}
)

// handler has the gateway answer requests for what is below /rollouts, with the token, of which clients learn nothing.
func (c *client) handler() http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: c.http.Transport,
		ErrorLog:  log.New(io.Discard, "", 0), // clients are told
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(c.base)
			r.Out.Header = only(r.In.Header, passed)
			if c.token != "" {
				r.Out.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.origin != "" {
				r.Out.Header.Set("Origin", c.origin)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header = only(r.Header, returned)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			content, _ := json.Marshal(map[string]string{"code": "away", "error": fmt.Sprintf("%s: the gateway cannot be reached: %v", c.name, err)}) // two texts
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(content) // the client may be gone
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), c.timeout)
		defer cancel()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	})
}

// only returns the fields of a header that are named.
func only(header http.Header, names []string) http.Header {
	kept := http.Header{}
	for _, name := range names {
		if values := header.Values(name); len(values) > 0 {
			kept[name] = values
		}
	}
	return kept
}
