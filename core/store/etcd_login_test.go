package store_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdUser: a token that has expired is replaced, a password that has changed is read again, and no error shows one.
func TestEtcdUser(t *testing.T) {
	fake := newFakeEtcd()
	fake.password = "hush"
	url := fake.serve(t).URL
	password := "hush"
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{url}, Username: "gateway", Password: func() string { return password }})
	load := func(what string) {
		if _, err := e.Load(context.Background(), "a"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	load("at first")
	load("again")
	fake.change(func() {
		if fake.logins != 1 {
			t.Errorf("%d logins", fake.logins)
		}
		fake.logins = 7 // whose token is another
	})
	load("expired")
	once := true
	fake.change(func() {
		fake.before = func(w http.ResponseWriter, _ *http.Request) bool {
			refuses := once
			once = false
			if refuses {
				w.WriteHeader(http.StatusUnauthorized)
			}
			return refuses
		}
	})
	load("refused without a reason")
	fake.change(func() { fake.before = nil })
	fake.change(func() {
		fake.password = "husher"
		fake.logins = 0
	})
	if _, err := e.Load(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "gateway") || strings.Contains(err.Error(), "hush") {
		t.Errorf("another password: error %v", err)
	}
	password = "husher"
	load("the other password")
	fake.change(func() {
		fake.before = func(w http.ResponseWriter, r *http.Request) bool {
			refuse(w, 500, 13, "who sends "+r.Header.Get("Authorization")+" and husher?")
			return true
		}
	})
	if _, err := e.Load(context.Background(), "a"); err == nil || strings.Contains(err.Error(), "token.") || strings.Contains(err.Error(), "hush") {
		t.Errorf("repeated: error %v", err)
	}
	fake.change(func() { fake.before = nil })
	if _, err := openEtcd(t, url).Load(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "set username and password") {
		t.Errorf("without a user: error %v", err)
	}
}

// TestEtcdWithoutUsers: a password that nobody asks for is no obstacle, but is told.
func TestEtcdWithoutUsers(t *testing.T) {
	var reports []string
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{newFakeEtcd().serve(t).URL}, Username: "gateway", Password: func() string { return "hush" },
		Report: func(fault error) { reports = append(reports, fault.Error()) }})
	for i := 0; i < 2; i++ {
		if _, err := e.Load(context.Background(), "a"); err != nil {
			t.Error(err)
		}
	}
	if len(reports) != 1 || !strings.Contains(reports[0], "enable its authentication") {
		t.Errorf("reported %q", reports)
	}
}

// TestEtcdNamedCertificates: what an etcd with users answers who has a certificate with a name is told in words that help.
func TestEtcdNamedCertificates(t *testing.T) {
	fake := newFakeEtcd()
	fake.before = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "CommonName of client sending a request against gateway will be ignored and not used as expected", http.StatusBadRequest)
		return true
	}
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Username: "gateway", Password: func() string { return "hush" }})
	if _, err := e.Load(context.Background(), "a"); err == nil || !strings.Contains(err.Error(), "no client certificate with a common name") {
		t.Errorf("error %v", err)
	}
}

// TestEtcdRenewsLeaseOfUser: a lease is renewed with another token when etcd does not know the one any more.
func TestEtcdRenewsLeaseOfUser(t *testing.T) {
	fake := newFakeEtcd()
	fake.password = "hush"
	e := openEtcdWith(t, store.EtcdSettings{Endpoints: []string{fake.serve(t).URL}, Username: "gateway", Password: func() string { return "hush" }})
	report := func(content string) {
		t.Helper()
		if err := e.Report(context.Background(), "checkout", "one", []byte(content), time.Second); err != nil {
			t.Errorf("report %s: %v", content, err)
		}
	}
	report("1")
	fake.change(func() { fake.logins = 7 })
	time.Sleep(time.Second / 2) // more than a third of what the lease lasts
	report("2")
	fake.change(func() {
		if len(fake.leases) != 1 {
			t.Errorf("%d leases were granted, want one that is renewed", len(fake.leases))
		}
	})
}
