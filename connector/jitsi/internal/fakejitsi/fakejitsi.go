// Package fakejitsi is a server that behaves like Jitsi Meet as far as a
// portal can see it: it checks tokens as Prosody does, keeps rooms and who is
// in them, posts the events of event_sync, asks for reservations, closes rooms
// on request, and serves a browser API and a meeting page. There are no media.
//
// Knobs make it misbehave in the ways that real servers and networks do.
package fakejitsi

import (
	"crypto/rsa"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options of a [Server].
type Options struct {
	// AppID and Secret make the server ask for HS256 tokens. Default to none:
	// everybody may enter.
	AppID  string
	Secret string
	// Audiences and Subject are what tokens must be for. Default to "jitsi"
	// and to not looking at it.
	Audiences []string
	Subject   string
	// Keys are public keys by kid, for RS256. If there are any, the server is
	// JaaS: rooms are below JaaS, the AppID.
	Keys map[string]*rsa.PublicKey
	JaaS string
	// SystemKeys are the public keys, by kid, that may close rooms.
	SystemKeys map[string]*rsa.PublicKey
	// Hooks is the base address of webhooks, and HookSecret their bearer
	// token. Default to none.
	Hooks      string
	HookSecret string
	// Reservations asks Hooks before a room opens.
	Reservations bool
	// Now returns the present time. Defaults to time.Now.
	Now func() time.Time
}

// Knobs are what the server does wrong from now on.
type Knobs struct {
	Late        time.Duration // webhooks wait so long
	Lost        bool          // webhooks are not sent
	Doubled     bool          // each is sent twice
	WrongSecret bool          // they have another bearer token
	NullClaims  bool          // occupants have null for id, name and email
	SwapOrder   bool          // a left is sent before the joined of the same occupant is
}

// Server is the fake. It is safe for concurrent use; Close waits for all
// webhooks.
type Server struct {
	opts Options
	mux  *http.ServeMux
	http *http.Client

	mu       sync.Mutex
	knobs    Knobs
	rooms    map[string]*room // by address
	count    int
	sent     []Hook
	held     []Hook
	sending  sync.WaitGroup
	last     chan struct{} // closed when the webhook sent last has been delivered
	closed   bool
	resolved map[string]string // reservation ids by room address
}

// Hook is a webhook that was sent.
type Hook struct {
	Method string
	Path   string // below Hooks
	Kind   string // content type
	Body   string
	Status int // what was answered; 0 if nothing was
}

type room struct {
	name      string
	created   time.Time
	occupants []*Occupant
	all       []*Occupant
}

// Occupant is one connection to a room.
type Occupant struct {
	JID    string
	ID     string
	Name   string
	Owner  bool
	Joined time.Time
	Left   time.Time

	room   string
	events chan event
}

// event is what an occupant's browser is told.
type event struct {
	Name string         `json:"name"`
	Data map[string]any `json:"data,omitempty"`
}

//go:embed web/external_api.js
//go:embed web/meeting.html
//go:embed web/meeting.js
//go:embed web/meeting.css
var web embed.FS

// New returns a server without rooms.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Audiences == nil {
		opts.Audiences = []string{"jitsi"}
	}
	s := &Server{
		opts: opts, http: &http.Client{Timeout: 10 * time.Second},
		rooms: make(map[string]*room), resolved: make(map[string]string),
	}
	s.mux = http.NewServeMux()
	s.mux.HandleFunc("POST /end-meeting", s.endMeeting)
	s.mux.HandleFunc("POST /_/join", s.handleJoin)
	s.mux.HandleFunc("GET /_/stream", s.stream)
	s.mux.HandleFunc("GET /_/rooms", s.list)
	s.mux.HandleFunc("POST /_/knobs", s.handleKnobs)
	for _, name := range []string{"meeting.js", "meeting.css"} {
		s.mux.HandleFunc("GET /_/"+name, func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, name) })
	}
	s.mux.HandleFunc("GET /external_api.js", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "external_api.js") })
	s.mux.HandleFunc("GET /{tenant}/external_api.js", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "external_api.js") })
	s.mux.HandleFunc("GET /{room}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "meeting.html") })
	s.mux.HandleFunc("GET /{tenant}/{room}", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r, "meeting.html") })
	return s
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends all connections and waits for the webhooks under way.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.rooms {
		for _, o := range r.occupants {
			close(o.events)
		}
	}
	s.rooms = make(map[string]*room)
	s.mu.Unlock()
	s.sending.Wait()
}

// Turn sets the knobs.
func (s *Server) Turn(k Knobs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knobs = k
}

func (s *Server) handleKnobs(w http.ResponseWriter, r *http.Request) {
	var k Knobs
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&k); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Turn(k)
	w.WriteHeader(http.StatusNoContent)
}

// Occupants returns who is in a room, by its address without the first slash.
func (s *Server) Occupants(address string) []Occupant {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Occupant
	if r := s.rooms[strings.ToLower(address)]; r != nil {
		for _, o := range r.occupants {
			c := *o
			c.events = nil
			list = append(list, c)
		}
	}
	return list
}

// Rooms returns the addresses of all open rooms.
func (s *Server) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.rooms))
	for address := range s.rooms {
		list = append(list, address)
	}
	slices.Sort(list)
	return list
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	all := make(map[string][]Occupant)
	for _, address := range s.Rooms() {
		all[address] = s.Occupants(address)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"rooms": all, "hooks": s.Sent()}) // the client is gone
}

// Enter brings somebody with a token into a room, and opens the room if it is
// the first. The error is what a browser would be told.
func (s *Server) Enter(address, token, name string) (*Occupant, error) {
	address = strings.ToLower(strings.Trim(address, "/"))
	tenant, room, found := strings.Cut(address, "/")
	if !found {
		tenant, room = "", address
	}
	who, err := s.verify(token, tenant, room)
	if err != nil {
		return nil, err
	}
	if who.Name == "" {
		who.Name = name
	}
	if err := s.reserve(address, room); err != nil {
		return nil, err
	}
	o := s.enter(address, room, who)
	if o == nil {
		return nil, fmt.Errorf("the server is closed")
	}
	return o, nil
}

func (s *Server) enter(address, name string, who person) *Occupant {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	now := s.opts.Now()
	r := s.rooms[address]
	if r == nil {
		r = &room{name: name, created: now}
		s.rooms[address] = r
		s.post("room/created", s.roomEvent("muc-room-created", address, r, nil))
	}
	s.count++
	o := &Occupant{
		JID: fmt.Sprintf("%s@conference.fake/%08x", name, s.count), ID: who.ID, Name: who.Name, Owner: who.Owner,
		Joined: now, room: address, events: make(chan event, 64),
	}
	for _, other := range r.occupants {
		other.tell("participantJoined", map[string]any{"id": o.JID, "displayName": o.Name})
		o.tell("participantJoined", map[string]any{"id": other.JID, "displayName": other.Name})
	}
	r.occupants, r.all = append(r.occupants, o), append(r.all, o)
	s.post("occupant/joined", s.roomEvent("muc-occupant-joined", address, r, o))
	return o
}

// tell drops what a browser that does not listen is not going to hear.
func (o *Occupant) tell(name string, data map[string]any) {
	select {
	case o.events <- event{Name: name, Data: data}:
	default:
	}
}

// Leave ends a connection; again, it does nothing.
func (s *Server) Leave(o *Occupant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(o)
}

func (s *Server) leave(o *Occupant) {
	r := s.rooms[o.room]
	if r == nil || !slices.Contains(r.occupants, o) {
		return
	}
	o.Left = s.opts.Now()
	r.occupants = slices.DeleteFunc(r.occupants, func(x *Occupant) bool { return x == o })
	for _, other := range r.occupants {
		other.tell("participantLeft", map[string]any{"id": o.JID})
	}
	close(o.events)
	s.post("occupant/left", s.roomEvent("muc-occupant-left", o.room, r, o))
	if len(r.occupants) == 0 {
		s.destroy(o.room, r)
	}
}

func (s *Server) destroy(address string, r *room) {
	delete(s.rooms, address)
	s.post("room/destroyed", s.roomEvent("muc-room-destroyed", address, r, nil))
	if id := s.resolved[address]; id != "" {
		delete(s.resolved, address)
		s.send(Hook{Method: http.MethodDelete, Path: "conference/" + id}, s.knobs)
	}
}

// End puts everybody out of a room, as a moderator or a system key does; false
// if there is no such room.
func (s *Server) End(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[strings.ToLower(address)]
	if r == nil {
		return false
	}
	for _, o := range slices.Clone(r.occupants) {
		o.tell("kicked", nil)
		s.leave(o)
	}
	return true
}
