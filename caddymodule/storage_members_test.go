package caddymodule

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLeftoverReports: what is no report of the member whose name it has is left out, and is removed in the end, as is one
// of a member that died before anybody looked.
func TestLeftoverReports(t *testing.T) {
	directory := t.TempDir()
	s, _ := storageIn(directory)
	if err := s.Report(t.Context(), "checkout", "a", []byte("1"), time.Minute); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(directory, filepath.FromSlash(reportKey), "checkout")
	text, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"4711": string(text), // as a file storage that is being written leaves it behind
		"b":    `{"format":1,"member":"b","ver`, "c": "", "d": `{"format":1,"member":"d","version":"x","content":1}`, "e": "null",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{0, 1, 5} {
		if list, err := s.Reports(t.Context(), "checkout", limit); err != nil || len(list) != 1 || list[0].Member != "a" {
			t.Errorf("%v, error %v", list, err)
		}
	}
	s.seen.mu.Lock()
	for key, seen := range s.seen.byKey {
		seen.since = seen.since.Add(-time.Hour)
		s.seen.byKey[key] = seen
	}
	s.seen.mu.Unlock()
	if list, err := s.Reports(t.Context(), "checkout", 0); err != nil || len(list) > 0 {
		t.Errorf("an hour later: %v, error %v", list, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, error %v", left, err)
	}
	if err := s.Report(t.Context(), "checkout", "a", []byte("1"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Reports(t.Context(), "checkout", 0); err != nil || len(list) != 1 {
		t.Errorf("back again: %v, error %v", list, err)
	}
	if n := len(s.seen.byKey); n != 1 {
		t.Errorf("%d sightings of one report", n)
	}
}
