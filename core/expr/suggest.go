package expr

// Suggest returns ` (did you mean "x"?)` for the known word nearest to a misspelt one, or "" if none is near: at most
// two edits (insert, delete, replace, swap neighbours), and at most a third of the word's length. Case does not count.
func Suggest(word string, known []string) string {
	best, limit := "", 3
	for _, candidate := range known {
		if d := distance(fold(word), fold(candidate)); d < limit && d*3 <= len(candidate) {
			best, limit = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return ` (did you mean "` + best + `"?)`
}

// fold lower-cases ASCII letters and drops underscores and hyphens, so that minRequests is near to min_requests.
func fold(word string) string {
	folded := make([]byte, 0, len(word))
	for i := 0; i < len(word); i++ {
		c := word[i]
		if c == '_' || c == '-' {
			continue
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		folded = append(folded, c)
	}
	return string(folded)
}

// distance is the optimal string alignment distance: Levenshtein's, with the swap of two neighbours as one edit.
func distance(a, b string) int {
	previous, current, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range current {
		current[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := current[j-1] + cost
			if current[j]+1 < d {
				d = current[j] + 1
			}
			if next[j-1]+1 < d {
				d = next[j-1] + 1
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] && previous[j-2]+1 < d {
				d = previous[j-2] + 1
			}
			next[j] = d
		}
		previous, current, next = current, next, previous
	}
	return current[len(b)]
}
