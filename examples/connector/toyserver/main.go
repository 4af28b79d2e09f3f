// Command toyserver is a Roundtable server to try the connector against: it
// shows who is in a room and tells the portal who came and left. There is
// neither sound nor picture.
package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"html/template"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8082", "host:port to listen on")
	secret := flag.String("secret", "", "secret that the portal has too; none lets everybody in")
	hooks := flag.String("hooks", "", "where to tell who came and left")
	flag.Parse()
	s := &server{secret: *secret, hooks: *hooks, http: &http.Client{Timeout: 5 * time.Second}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /meet/{room}", s.meet)
	mux.HandleFunc("GET /inside/{room}", s.inside)
	log.Print("toy server on http://" + *addr)
	log.Fatal((&http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}

type server struct {
	secret, hooks string
	http          *http.Client
	connections   atomic.Int64
}

// ticket is what the portal gives to people.
type ticket struct {
	Room string          `json:"room"`
	Name string          `json:"name"`
	Exp  int64           `json:"exp"`
	Ref  json.RawMessage `json:"ref"`
}

func (s *server) mac(text string) string {
	h := hmac.New(sha256.New, []byte(s.secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// admit checks a ticket.
func (s *server) admit(r *http.Request) (*ticket, error) {
	room := r.PathValue("room")
	if s.secret == "" {
		return &ticket{Room: room, Name: "somebody"}, nil
	}
	body, signature, _ := strings.Cut(r.URL.Query().Get("ticket"), ".")
	if !hmac.Equal([]byte(signature), []byte(s.mac("ticket "+body))) {
		return nil, errors.New("this is not a ticket of ours")
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return nil, err
	}
	var t ticket
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	switch {
	case t.Room != room:
		return nil, errors.New("the ticket is for another room")
	case time.Now().Unix() > t.Exp:
		return nil, errors.New("the ticket is too old")
	}
	return &t, nil
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Roundtable</title>
<style>
body { margin: 0; min-height: 100vh; display: grid; place-content: center; background: #fdf6e3; color: #3b2f14; font: 1rem/1.6 system-ui, sans-serif; text-align: center; }
</style>
<h1>Roundtable</h1>
<p role="status">Welcome, {{.Name}}</p>
<button>Leave the table</button>
<script>
const inside = new EventSource("/inside/" + {{.Room}} + location.search);
document.querySelector("button").addEventListener("click", () => {
	inside.close();
	document.querySelector("p").textContent = "Good bye";
	parent.postMessage({ roundtable: "left" }, "*");
});
</script>
`))

// meet is the page of a room.
func (s *server) meet(w http.ResponseWriter, r *http.Request) {
	t, err := s.admit(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	_ = page.Execute(w, t) // the client is gone
}

// inside is a connection to a room: it is there as long as the person is.
func (s *server) inside(w http.ResponseWriter, r *http.Request) {
	t, err := s.admit(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	connection := "c" + strconv.FormatInt(time.Now().Unix(), 36) + "-" + strconv.FormatInt(s.connections.Add(1), 10)
	s.tell("joined", connection, t)
	<-r.Context().Done()
	s.tell("left", connection, t)
}

// tell posts an event to the portal.
func (s *server) tell(event, connection string, t *ticket) {
	log.Printf("%s has %s", t.Name, event)
	if s.hooks == "" || t.Ref == nil {
		return
	}
	body, err := json.Marshal(map[string]any{"event": event, "connection": connection, "at": time.Now().Unix(), "ref": t.Ref})
	if err != nil {
		log.Print(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.hooks, bytes.NewReader(body))
	if err != nil {
		log.Print(err)
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Roundtable-Signature", s.mac("hook "+string(body)))
	res, err := s.http.Do(r)
	if err != nil {
		log.Print(err)
		return
	}
	defer res.Body.Close()
	log.Printf("the portal was told and answered %s", res.Status)
}
