package fakejitsi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// roomEvent is the body of an event_sync event.
func (s *Server) roomEvent(name, address string, r *room, o *Occupant) map[string]any {
	body := map[string]any{
		"event_name": name, "room_name": r.name, "room_jid": r.name + "@conference.fake",
		"is_breakout": false, "breakout_room_id": nil, "created_at": r.created.Unix(),
	}
	switch name {
	case "muc-occupant-joined", "muc-occupant-left":
		body["occupant"] = s.occupantFields(o)
		body["active_occupants_count"] = len(r.occupants)
	case "muc-room-destroyed":
		all := make([]map[string]any, 0, len(r.all))
		for _, o := range r.all {
			all = append(all, s.occupantFields(o))
		}
		body["destroyed_at"], body["all_occupants"] = s.opts.Now().Unix(), all
	}
	return body
}

func (s *Server) occupantFields(o *Occupant) map[string]any {
	fields := map[string]any{"occupant_jid": o.JID, "joined_at": o.Joined.Unix(), "left_at": nil}
	if !o.Left.IsZero() {
		fields["left_at"] = o.Left.Unix()
	}
	if s.knobs.NullClaims {
		fields["id"], fields["name"], fields["email"] = nil, nil, nil
	} else if o.ID != "" {
		fields["id"], fields["name"] = o.ID, o.Name
	}
	return fields
}

// post sends an event in the background; the lock is held.
func (s *Server) post(path string, body map[string]any) {
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // unreachable: texts and numbers only
	}
	k := s.knobs
	h := Hook{Method: http.MethodPost, Path: "events/" + path, Kind: "application/json", Body: string(raw)}
	if s.opts.JaaS != "" {
		if h, err = s.jaasHook(path, body); err != nil {
			return
		}
	}
	switch {
	case k.Lost || s.opts.Hooks == "":
		return
	case k.SwapOrder && path == "occupant/joined":
		s.held = append(s.held, h)
		return
	}
	s.send(h, k)
	if k.SwapOrder && path == "occupant/left" {
		for _, earlier := range s.held {
			s.send(earlier, k)
		}
		s.held = nil
	}
	if k.Doubled {
		s.send(h, k)
	}
}

// jaasHook is the same event as JaaS tells it.
func (s *Server) jaasHook(path string, body map[string]any) (Hook, error) {
	types := map[string]string{
		"room/created": "ROOM_CREATED", "room/destroyed": "ROOM_DESTROYED",
		"occupant/joined": "PARTICIPANT_JOINED", "occupant/left": "PARTICIPANT_LEFT",
	}
	data := map[string]any{"conference": body["room_jid"]}
	if o, ok := body["occupant"].(map[string]any); ok {
		data["id"], data["name"], data["participantJid"] = o["id"], o["name"], o["occupant_jid"]
	}
	s.count++
	raw, err := json.Marshal(map[string]any{
		"idempotencyKey": fmt.Sprintf("key-%d", s.count), "customerId": "customer", "appId": s.opts.JaaS,
		"eventType": types[path], "sessionId": "session", "timestamp": s.opts.Now().UnixMilli(),
		"fqn": fmt.Sprintf("%s/%v", s.opts.JaaS, body["room_name"]), "data": data,
	})
	return Hook{Method: http.MethodPost, Path: "jaas", Kind: "application/json", Body: string(raw)}, err
}

// send delivers one webhook after the others: each waits for the one before.
func (s *Server) send(h Hook, k Knobs) {
	s.sending.Add(1)
	previous := s.last
	done := make(chan struct{})
	s.last = done
	go func() {
		defer s.sending.Done()
		defer close(done)
		if previous != nil {
			<-previous
		}
		time.Sleep(k.Late)
		s.note(s.deliver(h, k))
	}()
}

func (s *Server) note(h Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, h)
}

func (s *Server) deliver(h Hook, k Knobs) Hook {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, h.Method, s.opts.Hooks+"/"+h.Path, strings.NewReader(h.Body))
	if err != nil {
		return h
	}
	secret := s.opts.HookSecret
	if k.WrongSecret {
		secret = "not the secret at all"
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	if s.opts.JaaS != "" {
		r.Header.Set("Authorization", secret) // as it was entered in the console
	}
	if h.Kind != "" {
		r.Header.Set("Content-Type", h.Kind)
	}
	res, err := s.http.Do(r)
	if err != nil {
		return h
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
	h.Status = res.StatusCode
	return h
}

// Sent returns all webhooks that were delivered, in order.
func (s *Server) Sent() []Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// Settle waits for the webhooks under way.
func (s *Server) Settle() { s.sending.Wait() }

// Replay sends all webhooks of a method and path prefix once more, as somebody
// does who recorded them, and returns the answers.
func (s *Server) Replay(prefix string) []int {
	var answers []int
	for _, h := range s.Sent() {
		if strings.HasPrefix(h.Path, prefix) {
			answers = append(answers, s.deliver(h, Knobs{}).Status)
		}
	}
	return answers
}

// reserve asks whether a room may be opened.
func (s *Server) reserve(address, name string) error {
	s.mu.Lock()
	_, open := s.rooms[address]
	k := s.knobs
	s.mu.Unlock()
	if !s.opts.Reservations || open {
		return nil
	}
	form := url.Values{"name": {name}, "start_time": {s.opts.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00")}, "mail_owner": {""}}
	var status int
	var raw []byte
	for range 3 { // as often as the real one
		var err error
		if status, raw, err = s.ask(http.MethodPost, "conference", form.Encode(), k); err != nil {
			return err
		}
		if status < 500 {
			break
		}
	}
	var answer struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		StartTime  string `json:"start_time"`
		Duration   int64  `json:"duration"`
		Message    string `json:"message"`
		ConflictID string `json:"conflict_id"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("reservation answered %d: %w", status, err)
	}
	switch {
	case status != http.StatusOK && status != http.StatusCreated:
		return fmt.Errorf("reservation refused (%d): %s", status, answer.Message)
	case answer.ID == "" || answer.Duration <= 0 || answer.Name != name:
		return errors.New("reservation is not complete")
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", answer.StartTime); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolved[address] = answer.ID
	return nil
}

func (s *Server) ask(method, path, form string, k Knobs) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.opts.Hooks+"/"+path, strings.NewReader(form))
	if err != nil {
		return 0, nil, err
	}
	secret := s.opts.HookSecret
	if k.WrongSecret {
		secret = "not the secret at all"
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := s.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, raw, err
}
