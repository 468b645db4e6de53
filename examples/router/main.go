// Command router decides who gets the new version of a service. Gateways ask it about each client that they do not know
// yet, and keep its answer for as long as it says:
//
//	router -listen 127.0.0.1:9090 -percent percent.txt -until 2027-01-31T18:00:00Z
//
// The clients of the first slots, as many as percent.txt says, are on green until that time; all others are on blue for
// 300 s, after which they are asked about again. Write another number to the file, and blue clients move on.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// question is what a gateway asks.
type question struct {
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Headers  map[string]string `json:"headers"`
	Client   string            `json:"client"`
	Variants []string          `json:"variants"`
}

// answer is what it gets.
type answer struct {
	Variant string `json:"variant"`

	// TTL is how long the gateway keeps the answer: a duration or a time.
	TTL string `json:"ttl"`
}

// router answers by the hash of the client's id.
type router struct {
	blue, green string
	salt        string
	percent     string // the file that holds the share of green
	blueTTL     time.Duration
	until       time.Time // when clients may leave green
}

func (h *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q); err != nil || q.Client == "" {
		http.Error(w, "not a question about a client", http.StatusBadRequest)
		return
	}
	share, err := h.share()
	if err != nil {
		log.Print(err)
		http.Error(w, "the share of green is not known", http.StatusInternalServerError)
		return
	}
	a := answer{Variant: h.blue, TTL: h.blueTTL.String()}
	if slot(h.salt, q.Client) < share {
		a = answer{Variant: h.green, TTL: h.until.Format(time.RFC3339Nano)}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // or the gateway is gone
}

// share returns how many slots are green.
func (h *router) share() (int, error) {
	text, err := os.ReadFile(h.percent)
	if err != nil {
		return 0, err
	}
	percent, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil || !(0 <= percent && percent <= 100) {
		return 0, fmt.Errorf("%s: %q is not a percentage", h.percent, text)
	}
	return int(percent * slots / 100), nil
}

const slots = 65536

// slot returns the place of a client, 0 to slots-1: the same that Grayling's own split gives a key.
func slot(salt, client string) int {
	sum := sha256.Sum256([]byte(salt + "\x00" + client))
	return int(binary.BigEndian.Uint16(sum[:2]))
}

func main() {
	var h router
	listen := flag.String("listen", "127.0.0.1:9090", "where to listen")
	flag.StringVar(&h.blue, "blue", "blue", "the variant of most clients")
	flag.StringVar(&h.green, "green", "green", "the variant of some")
	flag.StringVar(&h.salt, "salt", "shop", "keeps this draw independent of others")
	flag.StringVar(&h.percent, "percent", "percent.txt", "the file that holds the share of green, such as 10")
	flag.DurationVar(&h.blueTTL, "blue-ttl", 300*time.Second, "for how long a client of blue is not asked about again")
	until := flag.String("until", "", "the time (RFC 3339) until which clients stay on green; empty: two hours from now")
	flag.Parse()
	if err := h.read(*until); err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: *listen, Handler: &h, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// read takes in what is not a flag's own type.
func (h *router) read(until string) error {
	h.until = time.Now().Add(2 * time.Hour)
	if until != "" {
		var err error
		if h.until, err = time.Parse(time.RFC3339, until); err != nil {
			return fmt.Errorf("-until: %w", err)
		}
	}
	if h.blueTTL <= 0 {
		return errors.New("-blue-ttl: it has to be longer than nothing")
	}
	_, err := h.share()
	return err
}
