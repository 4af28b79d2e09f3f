package main

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// poller is a long-polling session.
type poller struct {
	mu      sync.Mutex
	waiting []byte // messages as a JSON array without its end
	wake    chan struct{}
}

func (p *poller) deliver(m message) {
	p.mu.Lock()
	if p.waiting == nil {
		p.waiting = append(p.waiting, m.text[:len(m.text)-1]...)
	} else {
		p.waiting = append(append(p.waiting, ','), m.text[1:len(m.text)-1]...)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take returns a connect's reply with what is waiting, nil if nothing is.
func (p *poller) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		return nil
	}
	out := append(append(p.waiting, ','), connectReply[1:]...)
	p.waiting = nil
	return out
}

func (s *server) servePoll(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p := s.poller(string(field(body, `"clientId":"`)))
	reply := s.handle(body, p)
	if reply == nil {
		if reply = p.hold(r); reply == nil {
			return
		}
	}
	head := w.Header()
	if p == nil {
		http.SetCookie(w, &http.Cookie{Name: "BAYEUX_BROWSER", Value: "1"})
	}
	head.Set("Content-Type", "application/json;charset=UTF-8")
	head.Set("Content-Length", strconv.Itoa(len(reply)))
	// A client that is gone is none of this program's business.
	_, _ = w.Write(reply)
}

// hold waits for messages. It returns nil when the client is gone.
func (p *poller) hold(r *http.Request) []byte {
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	for {
		if out := p.take(); out != nil {
			return out
		}
		select {
		case <-p.wake:
		case <-timer.C:
			return []byte(connectReply)
		case <-r.Context().Done():
			return nil
		}
	}
}

// poller returns the session of an id, nil for none.
func (s *server) poller(id string) *poller {
	if id == "" {
		return nil
	}
	s.mu.RLock()
	p := s.pollers[id]
	s.mu.RUnlock()
	if p != nil {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p = s.pollers[id]; p == nil {
		p = &poller{wake: make(chan struct{}, 1)}
		s.pollers[id] = p
	}
	return p
}
