package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// workload is what every configuration of a run is measured with: what clients ask, what the upstreams answer, and what
// the gateway does for each besides.
type workload struct {
	name     string
	edge     bool     // TLS and HTTP/2 to the clients, an access log, metrics
	requests [][]byte // of the users, one each, as HTTP/1.1 writes them
	header   string   // of the answers, beside those that the server of an upstream adds
	body     string
}

// workloads are those that can be chosen. The first is the least that a gateway can have to do.
var workloads = []*workload{
	{name: "cleartext", requests: calls(), header: callHeader, body: `{"items":"` + strings.Repeat("0123456789abcdef", 63) + "\"}\n"},
	{name: "edge", edge: true, requests: views(), header: viewHeader, body: page},
}

// workloadNamed returns one of the workloads.
func workloadNamed(name string) (*workload, error) {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	i := slices.Index(names, name)
	if i < 0 {
		return nil, fmt.Errorf("no workload is named %q: there are %s", name, strings.Join(names, ", "))
	}
	return workloads[i], nil
}

// scheme is that of the URLs at which the gateway serves.
func (w *workload) scheme() string {
	if w.edge {
		return "https"
	}
	return "http"
}

// answer is the only response of an upstream, which is known by its number.
func (w *workload) answer(number int) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: %s\r\nServer: upstream\r\n%s: %d\r\n%sContent-Length: %d\r\n\r\n%s",
		time.Now().UTC().Format(http.TimeFormat), upstreamHeader, number, w.header, len(w.body), w.body)
}

// upstreamHeader names the upstream, by its number, in every response.
const upstreamHeader = "X-Upstream"

// users is how many there are. They take turns, and come back.
const users = 1000

const callHeader = "Content-Type: application/json\r\nCache-Control: no-store\r\n"

// calls are what scripts in browsers send over HTTP/1.1. Their number of headers and their length vary, so that no
// configuration stands alone at the step at which a map or a buffer has to grow.
func calls() [][]byte {
	optional := []string{"Referer: https://shop.example/items", "DNT: 1", "Origin: https://shop.example", "Sec-GPC: 1",
		"Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin", "Priority: u=4"}
	list := make([][]byte, users)
	for i := range list {
		var more strings.Builder
		for _, header := range optional[:i%(len(optional)+1)] {
			more.WriteString(header + "\r\n")
		}
		session := strings.Repeat("8c1f2b7e", 2+i%128)
		list[i] = fmt.Appendf(nil, "GET /api/items?page=2&sort=price HTTP/1.1\r\nHost: shop.example\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0\r\n"+
			"Accept: application/json, text/plain, */*\r\nAccept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"+
			"Accept-Encoding: gzip, deflate, br, zstd\r\nCookie: session=%s; uid=user-%d; theme=dark\r\n"+
			"X-Forwarded-For: 203.0.113.7\r\nX-Request-Id: 3f2c9a54-7f0e-4d0b-a1c6-0b6f4f9e%04d\r\n%s\r\n", session, i, i, &more)
	}
	return list
}

// viewHeader makes the headers of a page ten, with those of every answer.
const viewHeader = "Content-Type: text/html; charset=utf-8\r\nCache-Control: private, no-cache\r\nETag: \"5f2c9a547f0e4d0b\"\r\n" +
	"Vary: Accept-Encoding, Cookie\r\nStrict-Transport-Security: max-age=31536000\r\nX-Content-Type-Options: nosniff\r\n"

// page is one of 10 kB.
var page = "<!doctype html><title>Items</title><ul>\n" +
	strings.Repeat("<li><a href=\"/items/1024\">An item of the shop</a> 19.90</li>\n", 164) + "</ul>\n"

// views are what a browser, Chrome 141, sends when somebody opens a page: 13 headers, and up to two more by how they got
// there. The session's length varies for the reason that lengths of calls do.
func views() [][]byte {
	ways := []string{"", "Sec-Fetch-User: ?1\r\n", "Sec-Fetch-User: ?1\r\nReferer: https://shop.example/\r\n"}
	list := make([][]byte, users)
	for i := range list {
		list[i] = fmt.Appendf(nil, "GET /items?page=2&sort=price HTTP/1.1\r\nHost: shop.example\r\n"+
			"Sec-Ch-Ua: \"Google Chrome\";v=\"141\", \"Not?A_Brand\";v=\"8\", \"Chromium\";v=\"141\"\r\n"+
			"Sec-Ch-Ua-Mobile: ?0\r\nSec-Ch-Ua-Platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n"+
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n"+
			"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"+
			"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\nPriority: u=0, i\r\n"+
			"Cookie: session=%s; uid=user-%d; theme=dark; _ga=GA1.1.1384712650.1756998412\r\n%s\r\n",
			bytes.Repeat([]byte("8c1f2b7e"), 3+i%8), i, ways[i%len(ways)])
	}
	return list
}
