package core

import (
	"github.com/grayling-gateway/grayling/core/expr"
	"github.com/grayling-gateway/grayling/core/identity"
)

// token finds out what claim() reads.
func (s *examination) token() error {
	t := s.engine.tokens
	if t == nil || len(t.verifier.Asked()) == 0 {
		return nil
	}
	if len(s.question.Claims) > 0 {
		claims, err := t.verifier.Assume(s.question.Claims)
		if err != nil {
			return err
		}
		s.in.Assume(claims)
		s.x.Token = &TokenExplained{Status: "assumed"}
		return nil
	}
	s.x.Token = &TokenExplained{Status: "absent"}
	s.in.Assume(nil)
	s.verify(t)
	return nil
}

func (s *examination) verify(t *tokens) {
	defer s.unexplained()
	s.at = "the token"
	text := s.tokenText(t)
	if text == "" {
		return
	}
	claims, cause := t.verifier.Examine(text, s.now)
	s.x.Token.Status = string(cause)
	if cause == identity.Verified {
		s.x.Token.Status = "verified"
		s.in.Assume(claims)
	}
}

// tokenText returns the request's token, as claimsOf finds it.
func (s *examination) tokenText(t *tokens) string {
	if fields := s.request.Header["Authorization"]; t.from == nil && len(fields) > 0 {
		return bearer(fields[0], true)
	}
	in := &expr.Input{Request: s.request}
	for _, key := range t.from {
		text, _ := expr.ExplainKey(key, in, s.assumed)
		if token := bearer(text, false); token != "" {
			return token
		}
	}
	return ""
}
