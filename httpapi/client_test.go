package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

const (
	userChannel = "/eXo/Application/WebConferencing/user/"
	callChannel = "/eXo/Application/WebConferencing/call/"
)

// message is a Bayeux message as a client sees it.
type message struct {
	Channel    string          `json:"channel"`
	ID         string          `json:"id"`
	Successful *bool           `json:"successful"`
	Error      string          `json:"error"`
	ClientID   string          `json:"clientId"`
	Data       json.RawMessage `json:"data"`
	Advice     map[string]any  `json:"advice"`
	Ext        map[string]any  `json:"ext"`
}

func (m message) ok() bool { return m.Successful != nil && *m.Successful }

func (m message) fields() map[string]any {
	var f map[string]any
	_ = json.Unmarshal(m.Data, &f)
	return f
}

// device is a Bayeux client that behaves like an old one: each message gets an
// acknowledgement, a remote call also a result.
type device struct {
	t        *testing.T
	w        *world
	user, id string // id is the exoClientId
	conns    *connections
	token    string
	http     *http.Client
	socket   *websocket.Conn
	session  string
	ctx      context.Context
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu     sync.Mutex
	last   int
	waits  map[string]chan message // acknowledgements by id
	calls  map[string]chan message // results by id
	events chan message
	ended  bool
}

// dial opens a session over the transport and starts connecting.
func (w *world) dial(user, clientID, transport string) *device {
	w.t.Helper()
	d := w.newDevice(user, clientID)
	if err := d.open(transport); err != "" {
		w.t.Fatalf("handshake of %s failed: %s", user, err)
	}
	return d
}

func (w *world) newDevice(user, clientID string) *device {
	ctx, cancel := context.WithCancel(context.Background())
	conns := &connections{}
	d := &device{
		t: w.t, w: w, user: user, id: clientID, http: w.browserOver(user, conns), conns: conns, ctx: ctx, cancel: cancel,
		waits: map[string]chan message{}, calls: map[string]chan message{}, events: make(chan message, 1000),
	}
	w.t.Cleanup(d.vanish)
	return d
}

// open makes the handshake and returns the error of its reply.
func (d *device) open(transport string) string {
	d.t.Helper()
	if transport == "websocket" {
		c, _, err := websocket.Dial(d.ctx, "ws://portal.test/cometd/cometd", &websocket.DialOptions{
			HTTPClient: d.http, HTTPHeader: http.Header{"Origin": {"http://portal.test"}},
		})
		if err != nil {
			d.t.Fatal(err)
		}
		c.SetReadLimit(1 << 20)
		d.socket = c
		d.done.Go(d.read)
	}
	hello := map[string]any{
		"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": []string{"websocket", "long-polling"},
		"ext": map[string]any{"ack": transport == "long-polling"},
	}
	if d.user != "" {
		hello["exoId"] = d.user
	}
	if d.token != "" {
		hello["exoToken"] = d.token
	}
	reply := d.exchange(hello)
	if !reply.ok() {
		return reply.Error
	}
	d.session = reply.ClientID
	d.done.Go(func() { d.connect(transport) })
	return ""
}

// connect keeps a connect at the server until the device ends. On long-polling
// it acknowledges what came, since otherwise messages may overtake each other
// in two responses.
func (d *device) connect(transport string) {
	var ack any = 0
	for first := true; d.ctx.Err() == nil; first = false {
		m := map[string]any{"channel": "/meta/connect", "connectionType": transport, "ext": map[string]any{"ack": ack}}
		if first {
			m["advice"] = map[string]any{"timeout": 0}
		}
		reply, err := d.try(m)
		if err != nil || !reply.ok() {
			d.mu.Lock()
			d.ended = true
			d.mu.Unlock()
			return
		}
		if n, ok := reply.Ext["ack"]; ok {
			ack = n
		}
	}
}

// exchange sends one message and waits for its acknowledgement.
func (d *device) exchange(m map[string]any) message {
	d.t.Helper()
	reply, err := d.try(m)
	if err != nil {
		d.t.Fatalf("%s: %v", m["channel"], err)
	}
	return reply
}

func (d *device) try(m map[string]any) (message, error) {
	d.mu.Lock()
	d.last++
	id := strconv.Itoa(d.last)
	wait := make(chan message, 1)
	d.waits[id] = wait
	d.calls[id] = make(chan message, 1)
	d.mu.Unlock()
	m["id"] = id
	if d.session != "" {
		m["clientId"] = d.session
	}
	if err := d.post(m); err != nil {
		return message{}, err
	}
	select {
	case reply := <-wait:
		return reply, nil
	case <-d.ctx.Done():
		return message{}, d.ctx.Err()
	}
}

func (d *device) post(list ...map[string]any) error {
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if d.socket != nil {
		return d.socket.Write(d.ctx, websocket.MessageText, raw)
	}
	r, err := http.NewRequestWithContext(d.ctx, http.MethodPost, "http://portal.test/cometd/cometd/", bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := d.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answers []message
	if err := json.NewDecoder(res.Body).Decode(&answers); err != nil {
		return err
	}
	d.sort(answers)
	return nil
}

func (d *device) read() {
	for {
		_, raw, err := d.socket.Read(d.ctx)
		if err != nil {
			d.cancel()
			return
		}
		var list []message
		if json.Unmarshal(raw, &list) == nil {
			d.sort(list)
		}
	}
}

// sort gives each message to whoever waits for it.
func (d *device) sort(list []message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range list {
		switch {
		case m.ID != "" && m.Data != nil:
			if c := d.calls[m.ID]; c != nil {
				c <- m
			}
		case m.ID != "":
			if c := d.waits[m.ID]; c != nil {
				c <- m
				delete(d.waits, m.ID)
			}
		default:
			d.events <- m
		}
	}
}

// call makes a remote call with the arguments that old clients always send.
func (d *device) call(target string, args map[string]any) message {
	d.t.Helper()
	data := map[string]any{"exoId": d.user, "exoToken": "secret", "exoContainerName": "portal"}
	if d.id != "" {
		data["exoClientId"] = d.id
	}
	for k, v := range args {
		data[k] = v
	}
	return d.callRaw(target, data)
}

func (d *device) callRaw(target string, data any) message {
	d.t.Helper()
	d.mu.Lock()
	next := strconv.Itoa(d.last + 1)
	d.mu.Unlock()
	ack := d.exchange(map[string]any{"channel": "/service/webconferencing/" + target, "data": data})
	if !ack.ok() {
		d.t.Fatalf("remote call refused: %s", ack.Error)
	}
	d.mu.Lock()
	result := d.calls[ack.ID]
	d.mu.Unlock()
	select {
	case m := <-result:
		return m
	case <-time.After(15 * time.Second):
		d.t.Fatalf("no result of call %s", next)
		return message{}
	}
}

// do makes a call that must succeed and returns the members of the result.
func (d *device) do(command string, args map[string]any) map[string]any {
	d.t.Helper()
	m := d.command(command, args)
	if !m.ok() {
		d.t.Fatalf("%s of %s failed: %s", command, d.user, m.Data)
	}
	return m.fields()
}

func (d *device) command(command string, args map[string]any) message {
	d.t.Helper()
	all := map[string]any{"command": command}
	for k, v := range args {
		all[k] = v
	}
	return d.call("calls", all)
}

// fails makes a call that must fail with the code.
func (d *device) fails(code, command string, args map[string]any) map[string]any {
	d.t.Helper()
	m := d.command(command, args)
	f := m.fields()
	if m.ok() || f["code"] != code || f["error"] != true || f["message"] == "" {
		d.t.Errorf("%s %v of %s: got %s, want %s", command, args, d.user, m.Data, code)
	}
	return f
}

// subscribe returns the error of the reply, "" on success.
func (d *device) subscribe(channel string, ext ...map[string]any) string {
	d.t.Helper()
	m := map[string]any{"channel": "/meta/subscribe", "subscription": channel, "exoId": d.user, "exoToken": "secret"}
	if d.id != "" {
		m["exoClientId"] = d.id
	}
	if len(ext) > 0 {
		m["ext"] = ext[0]
	}
	reply := d.exchange(m)
	if reply.ok() == (reply.Error != "") {
		d.t.Errorf("odd reply %+v", reply)
	}
	return reply.Error
}

func (d *device) mustSubscribe(channels ...string) {
	d.t.Helper()
	for _, c := range channels {
		if err := d.subscribe(c); err != "" {
			d.t.Fatalf("%s can't subscribe to %s: %s", d.user, c, err)
		}
	}
}

func (d *device) unsubscribe(channel string) {
	d.t.Helper()
	if m := d.exchange(map[string]any{"channel": "/meta/unsubscribe", "subscription": channel}); !m.ok() {
		d.t.Fatal(m.Error)
	}
}

func (d *device) publish(channel string, data any) string {
	d.t.Helper()
	return d.exchange(map[string]any{"channel": channel, "data": data}).Error
}

// over tells whether the server has ended the session.
func (d *device) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended || d.ctx.Err() != nil
}

// event waits for the next event.
func (d *device) event() message {
	d.t.Helper()
	select {
	case m := <-d.events:
		return m
	case <-time.After(40 * time.Second):
		d.t.Fatalf("%s heard nothing", d.user)
		return message{}
	}
}

// wantEvent waits for the next event and compares its type and more members.
func (d *device) wantEvent(eventType string, pairs ...any) map[string]any {
	d.t.Helper()
	m := d.event()
	f := m.fields()
	if err := d.w.spec.validateAs("UserEvent", m.Data); err != nil {
		d.t.Errorf("%s heard %s: %v", d.user, m.Data, err)
	}
	if f["eventType"] != eventType {
		d.t.Fatalf("%s heard %v, want %s", d.user, f, eventType)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if f[pairs[i].(string)] != pairs[i+1] {
			d.t.Errorf("%s heard %v; want %v = %v", d.user, f, pairs[i], pairs[i+1])
		}
	}
	return f
}

// quiet checks that nothing else is heard, also when everything that polls has
// had its turn. It needs virtual time.
func (d *device) quiet() {
	d.t.Helper()
	time.Sleep(3 * time.Second)
	synctest.Wait()
	select {
	case m := <-d.events:
		d.t.Errorf("%s heard %s, want nothing", d.user, m.Data)
	default:
	}
}

// freeze stops the device as a pulled cable does: connections stay open, and
// nothing is read or written any more.
func (d *device) freeze() {
	d.conns.freeze()
}

// vanish drops the connection without a word.
func (d *device) vanish() {
	d.cancel()
	if d.socket != nil {
		_ = d.socket.CloseNow()
	}
	d.http.CloseIdleConnections()
	d.done.Wait()
}

func (d *device) disconnect() {
	d.t.Helper()
	if m := d.exchange(map[string]any{"channel": "/meta/disconnect"}); !m.ok() {
		d.t.Error(m.Error)
	}
	d.vanish()
}

// virtual runs a test in virtual time.
func virtual(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// transports runs a test on both transports, in virtual time.
func transports(t *testing.T, f func(t *testing.T, transport string)) {
	for _, transport := range []string{"long-polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			virtual(t, func(t *testing.T) { f(t, transport) })
		})
	}
}
