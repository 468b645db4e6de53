package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/grayling-gateway/grayling/core/await"
)

// etcdLogin is what an authentication has given. It does not change.
type etcdLogin struct {
	serial   int64  // counts them; 0: there was none yet
	token    string // empty: etcd does not ask for any
	password string // which gave it
}

type etcdAuthenticateRequest struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

type etcdAuthenticate struct {
	Token string `json:"token"`
}

// signed posts a request to one member, with a token if there is a user: a fresh one if etcd does not know it any more,
// as after its --auth-token-ttl or a restart.
func (c *etcdClient) signed(ctx context.Context, at int, method etcdMethod, body []byte) etcdReply {
	if c.username == "" {
		reply := c.post(ctx, at, method, "", body)
		if reply.code == etcdUnauthenticated {
			reply.err = fmt.Errorf("%s answers users only: set username and password", host(c.endpoints[at]))
		}
		return reply
	}
	login, failed := c.newer(ctx, at, 0)
	if failed.err != nil {
		return failed
	}
	reply := c.post(ctx, at, method, login.token, body)
	if reply.code != etcdUnauthenticated {
		return reply
	}
	login, failed = c.newer(ctx, at, login.serial)
	if failed.err != nil {
		return failed
	}
	return c.post(ctx, at, method, login.token, body)
}

// unsigned reports whether a message says that a request needs another token, whatever its code.
func unsigned(message string) bool {
	for _, sign := range []string{"invalid auth token", "user name is empty", "revision of auth store is old"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

// newer returns the login after the one with a serial. One caller at a time authenticates, for all: to compare a
// password costs etcd a tenth of a second.
func (c *etcdClient) newer(ctx context.Context, at int, serial int64) (*etcdLogin, etcdReply) {
	login, _ := c.login.Load().(*etcdLogin)
	if login.serial > serial {
		return login, etcdReply{}
	}
	if !await.Acquire(ctx, c.signing) {
		return nil, etcdReply{err: ctx.Err()}
	}
	defer func() { <-c.signing }()
	latest, _ := c.login.Load().(*etcdLogin)
	if latest.serial > serial {
		return latest, etcdReply{}
	}
	next := &etcdLogin{serial: latest.serial + 1, password: c.password()}
	failed := c.authenticate(ctx, at, next)
	if failed.err != nil {
		return nil, failed
	}
	c.login.Store(next)
	return next, etcdReply{}
}

// authenticate gets the token of a login.
func (c *etcdClient) authenticate(ctx context.Context, at int, login *etcdLogin) etcdReply {
	request, err := json.Marshal(etcdAuthenticateRequest{Name: c.username, Password: login.password})
	if err != nil {
		return etcdReply{err: errors.New("the username or password cannot be sent")}
	}
	reply := c.post(ctx, at, etcdAuthenticates, "", request)
	reply.sent = false // nothing of what is asked for was
	if reply.code == etcdPrecondition {
		if c.report != nil {
			c.report(fmt.Errorf("etcd: %s asks nobody for a password: whoever reaches it can change every rollout: enable its authentication, or leave out the username", host(c.endpoints[at])))
		}
		return etcdReply{}
	}
	// etcd's own words are left out: they could repeat the password.
	if final(reply) {
		reply.err = fmt.Errorf("%s refuses the user %s: is the password right?", host(c.endpoints[at]), c.username)
	} else if reply.code != 0 {
		reply.err = fmt.Errorf("%s authenticates nobody now, with code %d", host(c.endpoints[at]), reply.code)
	}
	if reply.err != nil {
		return reply
	}
	var answer etcdAuthenticate
	err = json.Unmarshal(reply.content, &answer)
	if err != nil || answer.Token == "" || strings.ContainsAny(answer.Token, "\r\n\x00") {
		return etcdReply{err: fmt.Errorf("%s: %w", host(c.endpoints[at]), errEtcdAnswer)}
	}
	login.token = answer.Token
	return etcdReply{}
}
