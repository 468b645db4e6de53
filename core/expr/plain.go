package expr

import (
	"net/http"
	"strings"
)

// Plain is [Next] and [Read] in one, for what most requests are: no condition holds, those that were asked look at
// headers, and the first value of the key is a header, or a cookie as browsers write it. It returns the key, or "" where
// the request is anything else: then it says nothing, and Next and Read are to be asked.
//
// It exists for interpreters, where it takes a fraction of the time of Next and Read. It decides nothing that they would
// decide otherwise.
func Plain(t *Table, k *Key, h http.Header) string {
	pc := t.entry[0]
	for pc >= 0 {
		i := t.code[pc]
		fields := h[i.header]
		pc = i.absent
		if len(fields) > 0 {
			pc = plainly(i, fields)
		}
	}
	if pc == noMatch {
		return k.plain(k, h[k.header])
	}
	return ""
}

// plainly returns where to go from a test of a header that fails by a comparison; any other ends the run.
func plainly(i *instruction, fields []string) int {
	if i.op == equal && fields[0] != i.text {
		return i.no
	}
	return elsewhere
}

// The functions that read a key's first value for Plain from the fields of its header.

func plainHeader(k *Key, fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

func plainCookie(k *Key, fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	value := fields[0]
	if !strings.HasPrefix(value, k.cookie) {
		return laterCookie(k, value)
	}
	value, _, _ = strings.Cut(value[len(k.cookie):], ";")
	if strings.Trim(value, "\" \t") != value {
		return ""
	}
	return value
}

func laterCookie(k *Key, field string) string {
	before, rest, _ := strings.Cut(field, k.second)
	if strings.Contains(before, k.name) { // it may stand there in another way; or there is no second
		return ""
	}
	value, _, _ := strings.Cut(rest, ";")
	if strings.Trim(value, "\" \t") != value {
		return ""
	}
	return value
}

func plainNothing(k *Key, fields []string) string { return "" }
