package assignment

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// postgres is a PostgreSQL server of the test's own. It listens on a Unix socket in its own directory only.
type postgres struct {
	dir  string
	psql string
}

// startPostgres starts a server in a temporary directory, waits until it answers, and stops it when the test ends.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	initdb, server := postgresTool(t, "initdb"), postgresTool(t, "postgres")
	// Not t.TempDir: its parent is closed to the user that the server runs as, and a socket's path must be short.
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &postgres{dir: dir, psql: postgresTool(t, "psql")}
	as := unprivileged(t, dir)
	data := filepath.Join(dir, "data")

	setup := exec.Command(initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	setup.Dir, setup.SysProcAttr = dir, as
	if out, err := setup.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}

	var log bytes.Buffer
	cmd := exec.Command(server, "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = dir, as, &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting postgres: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT) // disconnects clients and shuts down
		select {
		case <-ended:
		case <-time.After(2 * time.Minute):
			cmd.Process.Signal(syscall.SIGQUIT) // aborts the children too; SIGKILL would leave them
			<-ended
		}
		if t.Failed() {
			t.Logf("log of postgres:\n%s", &log)
		}
	})

	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := p.run("SELECT 1;")
		if err == nil {
			return p
		}
		select {
		case <-ended:
			t.Fatal("postgres ended before it answered")
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("postgres did not answer within two minutes: %v\n%s", err, out)
		}
	}
}

// run gives a script to psql and returns what its queries print, one row a line.
func (p *postgres) run(script string) (string, error) {
	cmd := exec.Command(p.psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", p.dir, "-U", "postgres", "-d", "postgres")
	cmd.Env = append(os.Environ(), "PGCLIENTENCODING=UTF8")
	cmd.Stdin = strings.NewReader(script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stderr.String(), err
	}
	return stdout.String(), nil
}

// query is run for scripts that must succeed.
func (p *postgres) query(t *testing.T, script string) string {
	t.Helper()
	out, err := p.run(script)
	if err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return out
}

// postgresTool finds a program of PostgreSQL; Debian keeps the server's outside PATH.
func postgresTool(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Fatalf("%s is missing: apt-get install postgresql", name)
	}
	return found[len(found)-1]
}

// unprivileged hands dir to a user without privileges if the test runs as root, under whom postgres refuses to start.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		var missing error
		if account, missing = user.Lookup("nobody"); missing != nil {
			t.Fatal(errors.Join(err, missing))
		}
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
