package expr

import "strings"

// readCookie returns the value of the first cookie of that name in the Cookie header's fields (RFC 6265, section 5.4),
// without surrounding quotes. It finds what [http.Request.Cookie] finds, without parsing the other cookies, and keeps
// values that net/http drops for their characters, such as JSON: a condition should see what the client sent.
func readCookie(v *value, in *Input) (string, bool) {
	fields := in.Request.Header["Cookie"]
	if len(fields) == 0 {
		return "", false
	}
	// As browsers write it, the cookie stands first, or after a semicolon and a blank. Then only its value is to be found.
	field := fields[0]
	if strings.HasPrefix(field, v.pair) {
		return cookieValue(v, fields, field[len(v.pair):])
	}
	before, rest, found := strings.Cut(field, v.second)
	if !found || strings.Contains(before, v.name) {
		return slowCookie(fields, v.name)
	}
	return cookieValue(v, fields, rest)
}

// cookieValue takes a value from what follows the equals sign, if that is as browsers write it.
func cookieValue(v *value, fields []string, rest string) (string, bool) {
	value, _, _ := strings.Cut(rest, ";")
	if strings.Trim(value, "\" \t") != value {
		return slowCookie(fields, v.name)
	}
	return value, true
}

// slowCookie is readCookie for whatever a client may write.
func slowCookie(fields []string, name string) (string, bool) {
	for _, field := range fields {
		from := 0
		for {
			i := strings.Index(field[from:], name)
			if i < 0 {
				break
			}
			i += from
			if beginsPair(field, i) {
				if value, ok := pairValue(field[i+len(name):]); ok {
					return value, true
				}
			}
			from = i + 1
		}
	}
	return "", false
}

// beginsPair reports whether only blanks stand between field[i] and the semicolon, or the beginning, before it.
func beginsPair(field string, i int) bool {
	for i > 0 && (field[i-1] == ' ' || field[i-1] == '\t') {
		i--
	}
	return i == 0 || field[i-1] == ';'
}

// pairValue reads the value from what follows a name; ok is false if the name goes on.
func pairValue(rest string) (value string, ok bool) {
	for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		rest = rest[1:]
	}
	if rest == "" || rest[0] == ';' {
		return "", true
	}
	if rest[0] != '=' {
		return "", false
	}
	value, _, _ = strings.Cut(rest[1:], ";")
	value = strings.TrimRight(value, " \t")
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		value = value[1 : n-1]
	}
	return value, true
}
