package traefikconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"

	"github.com/grayling-gateway/grayling/integration/gateway"
	"github.com/grayling-gateway/grayling/integration/port"
)

// startEtcd runs a real etcd that holds these keys until the test ends, and returns its address.
func startEtcd(t *testing.T, keys map[string]string) string {
	t.Helper()
	client, peer := port.Address(t), port.Address(t)
	cmd := exec.Command(tool(t, "etcd"), "--data-dir", t.TempDir(), "--log-level", "error",
		"--listen-client-urls", "http://"+client, "--advertise-client-urls", "http://"+client,
		"--listen-peer-urls", "http://"+peer, "--initial-advertise-peer-urls", "http://"+peer,
		"--initial-cluster", "default=http://"+peer)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("etcd's log:\n%s", log.String())
		}
	})
	run(t, cmd)
	gateway.Eventually(t, "etcd is healthy", func() bool {
		response, err := http.Get("http://" + client + "/health")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	for key, value := range keys {
		if err := put(client, key, value); err != nil {
			t.Fatal(err)
		}
	}
	return client
}

func put(etcd, key, value string) error {
	body, err := json.Marshal(map[string][]byte{"key": []byte(key), "value": []byte(value)})
	if err != nil {
		return err
	}
	response, err := http.Post("http://"+etcd+"/v3/kv/put", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		return fmt.Errorf("put %s: %s: %s", key, response.Status, answer)
	}
	return nil
}
