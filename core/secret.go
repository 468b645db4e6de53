package core

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// secret reads a secret into load: the text itself, or what the text names, as "env:NAME" or "file:/path". The end of
// the line after a secret in a file is no part of it. Files are read again when they change; where load refuses what is
// in them then, the secret before stays. What load returns must not contain the secret.
func (c *checker) secret(path, text string, load func(secret string) error) {
	named := strings.HasPrefix(text, "file:") || strings.HasPrefix(text, "env:") || strings.Contains(text, "{")
	if err := CheckSecret(text); err != nil {
		c.fail(path, "%v", err)
		return
	}
	decides := strings.HasPrefix(path, "sticky.") || strings.HasPrefix(path, "jwt.")
	if c.host.dry && named && (c.host.missing == nil || !decides) {
		return // the secret needs to be there only where the gateway runs, and so does a placeholder's value
	}
	if file, ok := strings.CutPrefix(text, "file:"); ok {
		err := c.host.watch(file, func(content []byte) error { return load(strings.TrimRight(string(content), "\r\n")) })
		if err != nil {
			c.fail(path, "%v", err)
		}
		return
	}
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		text = os.Getenv(name)
		if text == "" && c.host.missing != nil {
			c.host.missing(fmt.Sprintf("%s: the environment variable %s is empty here", path, name))
			return
		}
		if text == "" {
			c.fail(path, "the environment variable %s is empty", name)
			return
		}
	}
	if err := load(text); err != nil {
		c.fail(path, "%v", err)
	}
}

// CheckSecret returns what is wrong with how a text names a secret, wherever that is: "env:" and "file:" alone name none.
func CheckSecret(text string) error {
	switch strings.TrimSpace(text) {
	case "env:":
		return errors.New(`"env:" names no variable of the environment: write it as env:NAME`)
	case "file:":
		return errors.New(`"file:" names no file: write its path, as file:/path`)
	}
	return nil
}

// ReadSecret returns what a text like file:/path or env:NAME stands for now; any other text is itself. The end of the line
// after a secret in a file is no part of it.
func ReadSecret(text string) (string, error) {
	if err := CheckSecret(text); err != nil {
		return "", err
	}
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value := os.Getenv(name)
		if value == "" {
			return "", fmt.Errorf("the environment variable %s is empty", name)
		}
		return value, nil
	}
	file, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return text, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading a file: %w", err)
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", errors.New(file + " is empty")
	}
	return secret, nil
}
