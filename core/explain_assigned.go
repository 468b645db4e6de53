package core

import (
	"encoding/base64"
	"time"

	"github.com/grayling-gateway/grayling/core/assign"
	"github.com/grayling-gateway/grayling/core/expr"
)

// identify finds out what the client's cookies say, and what the memory and the router know him by.
func (s *examination) identify() {
	a := s.engine.assigner
	if a == nil {
		return
	}
	if a.cookie != nil {
		s.cookie(a.cookie)
	}
	if a.client != nil {
		s.at = "what identifies the client"
		s.name, _ = expr.ExplainKey(a.client, s.in, s.assumed)
	}
	if !a.identifies {
		return
	}
	s.x.Key.By = "client"
	s.in.Client = s.name
	if a.cookie == nil {
		return
	}
	s.x.Key.By = "cookie"
	id := s.id
	if id == "" {
		id = assign.NewID()
		s.newID = true
	}
	s.in.Client = base64.RawURLEncoding.EncodeToString([]byte(id))
	if a.client == nil {
		s.name = s.in.Client
	}
}

// cookie finds the first genuine one.
func (s *examination) cookie(c *assign.Cookie) {
	safe := s.request.TLS != nil
	found := c.Examine(s.request)
	for i := range found {
		f := found[i]
		shown := AssignmentExplained{In: "cookie", Name: f.Name, Status: AssignmentForged}
		if c.Blind() {
			shown.Status = AssignmentUnknown
		}
		if f.Genuine {
			s.id = f.ID
			s.kept = f.Assignment
			shown = s.assignment("cookie", f.Name, f.Assignment)
		}
		s.x.Assignments = append(s.x.Assignments, shown)
	}
	if len(found) > 0 {
		return
	}
	s.x.Assignments = append(s.x.Assignments, AssignmentExplained{In: "cookie", Name: c.Name(safe), Status: AssignmentAbsent})
	other := c.Name(!safe)
	if _, err := s.request.Cookie(other); err == nil && other != c.Name(safe) {
		s.note("the request has the cookie %s, and %s is the one that counts for %s", other, c.Name(safe), schemeOf(safe))
	}
}

func schemeOf(safe bool) string {
	if safe {
		return "https"
	}
	return "http"
}

// assignment says how an assignment is now.
func (s *examination) assignment(in, name string, a assign.Assignment) AssignmentExplained {
	x := AssignmentExplained{In: in, Name: name, Variant: a.Variant, Status: AssignmentValid}
	if a.Expires > 0 && a.Expires < assign.Never {
		x.Expires = time.UnixMilli(a.Expires).UTC()
	}
	ms := s.now.UnixMilli()
	_, exists := s.engine.assigner.variants[a.Variant]
	switch {
	case keeps(s.engine, s.phase, a, s.now) >= 0:
	case a.Variant == "":
		x.Status = AssignmentEmpty
	case a.Expires <= ms:
		x.Status = AssignmentExpired
	case exists:
		x.Status = AssignmentReleased
	default:
		x.Status = AssignmentGone
	}
	return x
}

// assigned finds out what the cookie, the memory and the router say.
func (s *examination) assigned() bool {
	e, p := s.engine, s.phase
	if e.assigner == nil {
		return false
	}
	if i := keeps(e, p, s.kept, s.now); i >= 0 {
		s.choose(p.assigned[i], i, ByAssigned, "")
		s.router(RouterSkipped)
		return true
	}
	if e.assigner.memory == nil {
		return false
	}
	if s.name == "" {
		s.router(RouterNoClient)
		return false
	}
	if kept, known := e.assigner.memory.Peek(s.name); known {
		s.x.Assignments = append(s.x.Assignments, s.assignment("memory", "", kept))
		if i := keeps(e, p, kept, s.now); i >= 0 {
			s.choose(p.assigned[i], i, ByAssigned, "")
			s.router(RouterSkipped)
			return true
		}
	} else {
		s.x.Assignments = append(s.x.Assignments, AssignmentExplained{In: "memory", Status: AssignmentAbsent})
	}
	return s.routed()
}

// router says how it stands with the router, if there is one.
func (s *examination) router(status string) {
	if s.engine.assigner.router != nil {
		s.x.Router = &RouterExplained{Client: s.name, Status: status}
	}
}

// routed asks the router, if that is wanted.
func (s *examination) routed() bool {
	e, p := s.engine, s.phase
	router := e.assigner.router
	if router == nil {
		return false
	}
	if over(e, s.now) {
		s.router(RouterSkipped)
		return false
	}
	s.router(RouterNotAsked)
	if !s.question.AskRouter {
		s.note("the router would be asked, and was not: this is what becomes of the request if it gives no answer")
		return false
	}
	answer, err := router.Inquire(s.request, s.name, s.now)
	if err != nil {
		s.x.Router.Status = RouterFailed
		s.x.Router.Error = err.Error()
		return false
	}
	s.x.Router.Status = RouterAnswered
	s.x.Router.Variant = answer.Variant
	i := e.assigner.variants[answer.Variant]
	s.choose(p.routed[i], i, ByRouter, "")
	return true
}
