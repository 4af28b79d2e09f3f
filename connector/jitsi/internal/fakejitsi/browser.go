package fakejitsi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// The browser's side: a page that joins by POST /_/join and then listens to
// GET /_/stream; when that connection ends, the occupant has left.

func serveFile(w http.ResponseWriter, r *http.Request, name string) {
	body, err := web.ReadFile("web/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	kind := map[string]string{".js": "text/javascript", ".css": "text/css", ".html": "text/html"}[path.Ext(name)]
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	_, _ = w.Write(body) // the client is gone
}

func (s *Server) handleJoin(w http.ResponseWriter, r *http.Request) {
	var ask struct{ Room, JWT, Name string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&ask); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o, err := s.Enter(ask.Room, ask.JWT, ask.Name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": o.JID, "name": o.Name, "owner": o.Owner}) // the client is gone
}

// find returns an occupant by connection.
func (s *Server) find(jid string) *Occupant {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rooms {
		for _, o := range r.occupants {
			if o.JID == jid {
				return o
			}
		}
	}
	return nil
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	o := s.find(r.URL.Query().Get("id"))
	if o == nil {
		http.NotFound(w, r)
		return
	}
	defer s.Leave(o)
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	if flush() != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e, more := <-o.events:
			if !more {
				fmt.Fprint(w, "data: {\"name\":\"over\"}\n\n")
				_ = flush() // the client is gone
				return
			}
			raw, err := json.Marshal(e)
			if err != nil {
				return
			}
			fmt.Fprintf(w, "data: %s\n\n", strings.ReplaceAll(string(raw), "\n", ""))
			if flush() != nil {
				return
			}
		}
	}
}
