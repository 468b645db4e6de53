package expr

import (
	"net/http"
	"strings"
)

// Plain is [Next] and [Read] in one, for what most requests are: no condition holds, those that were asked look at
// headers, and the first value of the key is a header, or a cookie as browsers write it. ok is false where the request
// is anything else; then it says nothing, and Next and Read are to be asked.
//
// It exists for interpreters: everything that such a request needs is in one function, at half of what the several small
// ones cost together. It decides nothing that they would decide otherwise.
func Plain(t *Table, k *Key, h http.Header) (key string, ok bool) {
	pc := t.entry[0]
	for pc >= 0 {
		i := t.code[pc]
		fields := h[i.header]
		pc = i.absent
		if len(fields) > 0 {
			pc = i.no
			if i.op != equal || fields[0] == i.text {
				return "", false
			}
		}
	}
	fields := h[k.header]
	if pc != noMatch || len(fields) == 0 {
		return "", false
	}
	key = fields[0]
	if k.cookie == "" {
		return key, key != ""
	}
	if !strings.HasPrefix(key, k.cookie) {
		before, rest, found := strings.Cut(key, k.second)
		if !found || strings.Contains(before, k.name) {
			return "", false
		}
		key, _, _ = strings.Cut(rest, ";")
	} else {
		key, _, _ = strings.Cut(key[len(k.cookie):], ";")
	}
	return key, key != "" && strings.Trim(key, "\" \t") == key
}
