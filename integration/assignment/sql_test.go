package assignment

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestSQLOfThePage(t *testing.T) {
	blocks := codeBlocks(t, "sql")
	if len(blocks) != 3 {
		t.Fatalf("docs/assignment.md has %d blocks of SQL, want 3: a plain query, the functions, a query that uses them", len(blocks))
	}
	plain, functions, using := blocks[0], blocks[1], blocks[2]
	given := withoutNUL(t, readVectors(t))
	db := startPostgres(t)

	t.Run("functions", func(t *testing.T) {
		answer := db.query(t, functions+
			"CREATE TABLE given AS SELECT "+literal(t, given)+"::jsonb AS vectors;\n"+
			string(read(t, "testdata/answers.sql")))
		compare(t, []byte(answer), given)
	})

	variant, inEU := example(t, given)
	users := make(map[string]bool)
	for key := range variant {
		users[key] = true
	}
	for key := range inEU {
		users[key] = true
	}
	db.query(t, "CREATE TABLE users AS SELECT jsonb_object_keys("+literal(t, users)+"::jsonb) AS user_id UNION ALL SELECT NULL;")

	t.Run("plain query", func(t *testing.T) {
		for _, row := range answers(t, db, plain, len(users)+1) {
			if want, ok := variant[row.User]; ok && row.Variant != want {
				t.Errorf("user %q gets %s, want %s", row.User, row.Variant, want)
			}
		}
	})
	t.Run("query with functions", func(t *testing.T) {
		for _, row := range answers(t, db, using, len(users)+1) {
			if want, ok := variant[row.User]; ok && row.Variant != want {
				t.Errorf("user %q gets %s, want %s", row.User, row.Variant, want)
			}
			if want, ok := inEU[row.User]; ok && (row.InEU == nil || *row.InEU != want) {
				t.Errorf("user %q in the rule: %v, want %v", row.User, row.InEU, want)
			}
		}
	})
	// With 100% everywhere, only a user without an id is left to the baseline and outside the rule.
	t.Run("no id", func(t *testing.T) {
		all := strings.NewReplacer("<   3277", "< 65536", "NULL,5,10,0.25", "NULL,100,0,0", "rollout_slots(20)", "rollout_slots(100)")
		for _, query := range []string{plain, using} {
			for _, row := range answers(t, db, all.Replace(query), len(users)+1) {
				want := "canary"
				if row.User == "" {
					want = "stable"
				}
				if row.Variant != want {
					t.Errorf("user %q gets %s, want %s", row.User, row.Variant, want)
				}
				if query == using && (row.InEU == nil || *row.InEU != (row.User != "")) {
					t.Errorf("user %q in the rule: %v", row.User, row.InEU)
				}
			}
		}
	})
}

// row is what the page's queries say about a user. The user without an id (NULL) and the one with an empty id are both "".
type row struct {
	User    string `json:"user_id"`
	Variant string `json:"variant"`
	InEU    *bool  `json:"in_eu"` // nil in the plain query, which has no such column
}

// answers runs a query of the page over the table users.
func answers(t *testing.T, db *postgres, query string, want int) []row {
	t.Helper()
	query = strings.TrimSuffix(strings.TrimSpace(query), ";")
	var rows []row
	if err := json.Unmarshal([]byte(db.query(t, "SELECT json_agg(answer) FROM ("+query+") AS answer;")), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != want {
		t.Errorf("%d rows for %d users", len(rows), want)
	}
	return rows
}

// example is what the vectors say about the page's example: the variants of the rollout checkout, and its rule eu with 20%.
func example(t *testing.T, given vectors) (variant map[string]string, inEU map[string]bool) {
	t.Helper()
	variant, inEU = map[string]string{"": "stable"}, map[string]bool{"": false}
	for _, c := range given.Splits {
		if c.Salt == "checkout" && fmt.Sprint(c.Variants) == "[{stable } {canary 5%} {blue 10%} {green 0.25%}]" {
			variant[c.Key] = c.Variant
		}
	}
	for _, c := range given.Rules {
		if c.Salt == "checkout" && c.Rule == "eu" && c.Percent == "20%" {
			inEU[c.Key] = c.In
		}
	}
	if len(variant) < 40 || len(inEU) < 4 {
		t.Fatalf("the vectors hold too little of the page's example: %d keys in the split, %d in the rule", len(variant), len(inEU))
	}
	return variant, inEU
}

// withoutNUL leaves out what PostgreSQL's text cannot hold, and makes sure that it is only that.
func withoutNUL(t *testing.T, all vectors) vectors {
	t.Helper()
	const nul = "\x00"
	kept := vectors{Weights: all.Weights}
	for _, c := range all.Slots {
		if !strings.Contains(c.Key, nul) {
			kept.Slots = append(kept.Slots, c)
		}
	}
	for _, c := range all.Splits {
		if !strings.Contains(c.Key, nul) {
			kept.Splits = append(kept.Splits, c)
		}
	}
	for _, c := range all.Rules {
		if !strings.Contains(c.Key, nul) {
			kept.Rules = append(kept.Rules, c)
		}
	}
	for _, c := range all.Keys {
		if !strings.Contains(c.Key, nul) {
			kept.Keys = append(kept.Keys, c)
		}
	}
	before := len(all.Slots) + len(all.Splits) + len(all.Rules) + len(all.Keys)
	after := len(kept.Slots) + len(kept.Splits) + len(kept.Rules) + len(kept.Keys)
	t.Logf("%d of %d vectors are left out: their keys hold a NUL", before-after, before)
	if before-after > before/20 {
		t.Errorf("only %d of %d vectors are left", after, before)
	}
	return kept
}

// literal is a value as JSON in an SQL string.
func literal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return "'" + strings.ReplaceAll(string(text), "'", "''") + "'"
}
