package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// timeout bounds one request, from the connection to the end of the answer.
const timeout = 5 * time.Second

// maxAnswer is how much of an answer is read, so that its connection can be used again.
const maxAnswer = 64 << 10

// answer is what came back.
type answer struct {
	status string // such as "404 Not Found"
	code   int
	after  string // the header Retry-After
}

// ok reports whether it is a 2xx.
func (a answer) ok() bool { return a.code >= 200 && a.code <= 299 }

// post sends JSON to a URL once. It follows no redirect: what is sent is for nobody else. Errors do not show the URL.
func post(ctx context.Context, address string, body []byte, header http.Header) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, errors.New("its URL is none")
	}
	if user := request.URL.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	for name, fields := range header {
		request.Header[name] = fields
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "grayling")
	// Not through a Client: it follows redirects, and shows URLs in its errors.
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return answer{}, describe(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)) // what it says is in the status
	return answer{status: status(response.StatusCode), code: response.StatusCode, after: response.Header.Get("Retry-After")}, nil
}

// status names a status in our words: the server's own may be anything.
func status(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return strconv.Itoa(code)
}

// describe says why there is no answer.
func describe(err error) error {
	var failed net.Error
	if errors.As(err, &failed) && failed.Timeout() {
		return fmt.Errorf("no answer within %s", timeout.String())
	}
	return err
}

// sign returns the signature of a body that is sent at a time, which is in Unix seconds.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// retryAfter returns how long an answer asks to wait (RFC 9110, section 10.2.3), an hour at most; 0 if it does not.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		if seconds > int64(expiry/time.Second) {
			return expiry
		}
		if seconds < 0 { // which may have no room in a duration
			return 0
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	wait := positive(at.Sub(now))
	if wait > expiry {
		return expiry
	}
	return wait
}

func positive(d time.Duration) time.Duration {
	if d < 0 {
		return 0
	}
	return d
}
