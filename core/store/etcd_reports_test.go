package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/grayling-gateway/grayling/core/store"
)

// TestEtcdFewOfMany: who wants the first of very many has only a part of them counted, and gets the first wherever they are.
func TestEtcdFewOfMany(t *testing.T) {
	fake := newFakeEtcd()
	var asked []fakeRequest
	fake.before = func(_ http.ResponseWriter, r *http.Request) bool {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(content)))
		var request fakeRequest
		if err := json.Unmarshal(content, &request); err != nil {
			t.Error(err)
		}
		fake.change(func() { asked = append(asked, request) })
		return false
	}
	report := func(from, to int) {
		fake.change(func() {
			for i := from; i < to; i++ {
				fake.put(fmt.Sprintf("/grayling/members/checkout/%03x", i), []byte("1"))
			}
		})
	}
	e := openEtcd(t, fake.serve(t).URL)
	for _, test := range []struct {
		name     string
		from, to int // what is added first; 0, 0: all is removed
		requests int
		first    string
	}{
		{"many, of which nobody knows", 0x100, 0x300, 1, "100"},
		{"many, none of them in the first part", 0x300, 0x301, 2, "100"},
		{"many, some of them in the first part", 0x0f0, 0x0f8, 2, "0f0"},
		{"many, enough of them in the first part", 0x080, 0x0f0, 1, "080"},
		{"none", 0, 0, 2, ""},
		{"few", 0x100, 0x120, 1, "100"},
	} {
		test := test
		fake.change(func() {
			asked = nil
			if test.to == 0 {
				fake.keys = map[string]fakeKey{}
			}
		})
		report(test.from, test.to)
		list, err := e.Reports(context.Background(), "checkout", 16)
		first := ""
		if len(list) > 0 {
			first = list[0].Member
		}
		if err != nil || first != test.first || len(list) != 16 && test.to > 0 || len(asked) != test.requests {
			t.Errorf("%s: %d, from %q, %v, after %d requests", test.name, len(list), first, err, len(asked))
		}
		for i := 1; i < len(list); i++ {
			if list[i-1].Member >= list[i].Member {
				t.Errorf("%s: %s is before %s", test.name, list[i-1].Member, list[i].Member)
			}
		}
	}
}

// TestEtcdPages: reports are read in few pages, which are shorter again where reports are long.
func TestEtcdPages(t *testing.T) {
	fake := newFakeEtcd()
	var asked atomic.Int64
	fake.before = func(_ http.ResponseWriter, _ *http.Request) bool {
		asked.Add(1)
		return false
	}
	e := openEtcd(t, fake.serve(t).URL)
	long := []byte(`"` + strings.Repeat("x", store.MaxReport-2) + `"`)
	for _, test := range []struct {
		name         string
		short, long  int
		least, pages int64
	}{
		{"none", 0, 0, 1, 1},
		{"all in one", 40, 0, 1, 1},
		{"short ones", 900, 0, 2, 2},
		{"long ones", 0, 100, 3, 3},
		{"short ones, and then long ones", 60, 100, 4, 5},
	} {
		test := test
		fake.change(func() {
			fake.keys = map[string]fakeKey{}
			for i := 0; i < test.short; i++ {
				fake.put(fmt.Sprintf("/grayling/members/checkout/0%03d", i), []byte("1"))
			}
			for i := 0; i < test.long; i++ {
				fake.put(fmt.Sprintf("/grayling/members/checkout/1%03d", i), long)
			}
		})
		before := asked.Load()
		list, err := e.Reports(context.Background(), "checkout", 0)
		if pages := asked.Load() - before; err != nil || len(list) != test.short+test.long || pages < test.least || pages > test.pages {
			t.Errorf("%s: %d reports in %d pages, %v", test.name, len(list), pages, err)
		}
	}
}
