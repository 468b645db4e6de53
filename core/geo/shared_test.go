package geo

import "testing"

// opened are places with one database.
func opened(t *testing.T, path string, content []byte) (*Places, *Database) {
	t.Helper()
	p := &Places{}
	if err := p.Add(path)(content); err != nil {
		t.Fatal(err)
	}
	return p, p.sources[0].database
}

func TestShared(t *testing.T) {
	norway, sweden := country("192.0.2.0/24", "NO"), country("192.0.2.0/24", "SE")
	again := func() []byte { return append([]byte{}, norway...) }
	first, of := opened(t, "shared.mmdb", norway)
	first.Hold()
	second, same := opened(t, "shared.mmdb", again())
	if same != of {
		t.Error("a file is held twice")
	}
	if _, other := opened(t, "elsewhere.mmdb", again()); other == of {
		t.Error("files at two paths are one")
	}
	if _, changed := opened(t, "shared.mmdb", sweden); changed == of {
		t.Error("a file that changed is taken for what it was")
	}
	_, kept := opened(t, "shared.mmdb", again())
	second.Hold()
	first.Release()
	if _, same := opened(t, "shared.mmdb", again()); same != kept {
		t.Error("a file that is held is not shared")
	}
	second.Release()
	if shared["shared.mmdb"] != nil || shared["elsewhere.mmdb"] != nil || users["shared.mmdb"] != 0 {
		t.Errorf("nobody holds them: %v, %v", shared, users)
	}
	if got := At(first, addr("192.0.2.1"))[Country]; got != "NO" {
		t.Errorf("who still asks gets %q", got)
	}
}
