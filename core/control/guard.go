package control

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Guard lets only those requests through to next that bring the token, as Authorization: Bearer. The others learn
// nothing, not even how much of their token is right from the time that the answer takes. An empty token lets nobody
// through.
func Guard(token string, next http.Handler) http.Handler {
	return &guard{want: sha256.Sum256([]byte(token)), open: token != "", next: next}
}

type guard struct {
	want [sha256.Size]byte
	open bool
	next http.Handler
}

// ServeHTTP compares hashes, which are equally long whatever the client sends.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	same := subtle.ConstantTimeCompare(got[:], g.want[:]) == 1
	if !same || !g.open || !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("WWW-Authenticate", `Bearer realm="rollouts"`)
		answerError(w, refuse(http.StatusUnauthorized, "token", "this needs the token, as Authorization: Bearer"))
		return
	}
	g.next.ServeHTTP(w, r)
}
