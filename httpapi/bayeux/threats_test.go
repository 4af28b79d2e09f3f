package bayeux_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

// threat runs the test of one row of the threat table.
func threat(t *testing.T, row string, o *bayeux.Options, f func(t *testing.T, s *site, transport string), only ...string) {
	t.Helper()
	if only == nil {
		only = transports
	}
	t.Run(row, func(t *testing.T) {
		for _, transport := range only {
			t.Run(transport, func(t *testing.T) {
				bubble(t, func(t *testing.T) { f(t, newSite(t, o), transport) })
			})
		}
	})
}

// request sends one HTTP request; header lines are "Name: value".
func (s *site) request(t testing.TB, method, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/cometd", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
	response, err := s.transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

// wantFault checks how a body that never becomes messages is refused.
func wantFault(t testing.TB, s *site, transport, body string, status int, code string, closing int) {
	t.Helper()
	if transport == "websocket" {
		c := s.socket(t, nil)
		c.write(t, body)
		if got := c.closeCode(t); got != closing {
			t.Errorf("%.40q: closed with %d, want %d", body, got, closing)
		}
		return
	}
	got, text, _ := s.request(t, http.MethodPost, body)
	var fault struct{ Error, RequestID string }
	if err := json.Unmarshal([]byte(text), &fault); err != nil || got != status || fault.Error != code || fault.RequestID == "" {
		t.Errorf("%.40q: got %d %s, want %d %s", body, got, text, status, code)
	}
}

func TestThreatsFromInput(t *testing.T) {
	threat(t, "T1 not JSON", nil, func(t *testing.T, s *site, transport string) {
		for _, body := range []string{``, ` `, `null`, `7`, `"x"`, `[`, `[{}`, `[{}]x`, `[]`, `[[]]`, `[7]`, `[null]`, `{`, `{"a":}`, `[{},]`, `[{"a":1,}]`,
			`[{"a":01}]`, `[{"a":+1}]`, `[{"a":.5}]`, `[{"a":NaN}]`, `[{"a":'x'}]`, `[{/*c*/}]`, "[{\"a\":\"\x01\"}]", `[{"a":"\x"}]`, `[{"a":"\u12"}]`} {
			wantFault(t, s, transport, body, 400, "bad_json", 1008)
		}
		if transport == "long-polling" {
			wantFault(t, s, transport, "[{\"a\":\"\xff\"}]", 400, "bad_json", 1007)
		}
		if n := s.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
	threat(t, "T2 oversize", nil, func(t *testing.T, s *site, transport string) {
		wantFault(t, s, transport, `[{"channel":"/a","data":"`+strings.Repeat("x", 64<<10)+`"}]`, 413, "too_large", 1009)
		announced := []byte{0x81, 0xff, 0, 0, 0, 2, 0x54, 0x0b, 0xe4, 0, 0, 0, 0, 0} // 10 GB
		if transport == "websocket" {
			conn, reader, _ := rawSocket(t, s)
			if _, err := conn.Write(announced); err != nil || rawClose(reader) != 1009 {
				t.Errorf("10 GB were announced: %v", err)
			}
		} else {
			conn, err := s.listener.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				_, _ = io.WriteString(conn, "POST /cometd HTTP/1.1\r\nHost: portal.example\r\nContent-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n[")
			}()
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || !response.Close {
				t.Errorf("10 GB were announced: %v, %v", response, err)
			}
			time.Sleep(time.Second) // in which net/http closes the connection
		}
		c := s.connected(t, transport)
		fits := say(c, `{"id":"1","channel":"/a","data":""}`)
		wantOK(t, last(c.exchange(t, strings.Replace(fits, `""`, `"`+strings.Repeat("x", 64<<10-len(fits))+`"`, 1))))
	})
	threat(t, "T3 depth", nil, func(t *testing.T, s *site, transport string) {
		nest := func(n int) string {
			return `[{"id":"1","channel":"/a","data":` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + `}]`
		}
		wantFault(t, s, transport, nest(33), 400, "too_deep", 1008)
		wantFault(t, s, transport, nest(10_001), 400, "too_deep", 1008)
		wantFault(t, s, transport, strings.Repeat("[", 60_000), 400, "bad_json", 1008)
		c := s.client(t, transport)
		wantError(t, one(t, c.exchange(t, nest(32))), "402::session_unknown")
		wantFault(t, s, transport, `[{"a":[`+strings.Repeat("0,", 5000)+`0]}]`, 400, "too_complex", 1008)
	})
	threat(t, "T4 batch bomb", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		other := s.connected(t, transport)
		subscribe(t, other, "/a")
		m := say(c, `{"id":"1","channel":"/a","data":1}`)
		m = m[1 : len(m)-1]
		wantFault(t, s, transport, "["+m+strings.Repeat(","+m, 64)+"]", 413, "batch_too_large", 1008)
		wantFault(t, s, transport, "["+strings.Repeat("{},", 20_000)+"{}]", 413, "batch_too_large", 1008)
		wantQuiet(t, other)
	})
	threat(t, "T5 ambiguous JSON", nil, func(t *testing.T, s *site, transport string) {
		for _, body := range []string{
			`[{"channel":"/a","channel":"/b"}]`, `[{"channel":"/a","c\u0068annel":"/b"}]`, `[{"data":{"x":1,"\u0078":2}}]`,
			`[{"a":"\ud800"}]`, `[{"a":"\udc00\ud800"}]`, `[{"a":"\ud800x"}]`, "\ufeff[{}]",
			`[{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"11":1,"12":1,"13":1,"14":1,"1":2}]`,
		} {
			wantFault(t, s, transport, body, 400, "bad_json", 1008)
		}
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","CHANNEL":"/a","data":1}`), "400::channel_missing")
		wantOK(t, ask(t, c, `{"id":"1","channel":"/a","Channel":"/b","data":1}`))
	})
	threat(t, "T6 wrong types", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":{},"channel":"/a","data":1}`), "405::message_id_invalid")
		wantError(t, ask(t, c, `{"id":"1","channel":{},"data":1}`), "405::channel_invalid")
		got := c.exchange(t, `[{"id":"1","channel":"/a","data":1,"clientId":7}]`)
		wantError(t, one(t, got), "402::session_unknown")
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/connect","advice":{"timeout":"x"}}`), "400::advice_invalid")
		acking := s.client(t, transport)
		hello(t, acking, `,"ext":{"ack":true}`)
		for _, ack := range []string{`"x"`, `-1`, `1e999`, `{}`, `5000`, `99999999999999999999`} {
			wantOK(t, ask(t, acking, `{"id":"1","channel":"/meta/connect","advice":{"timeout":0},"ext":{"ack":`+ack+`}}`))
		}
		if n := s.Stats().BadAcks; n != 6 {
			t.Errorf("%d acknowledgements are counted as wrong", n)
		}
	})
	threat(t, "T7 and T8 content", nil, func(t *testing.T, s *site, transport string) {
		for header, want := range map[string]int{
			"Content-Type: text/plain": 415, "Content-Type: application/x-www-form-urlencoded": 415, "Content-Type: ": 415,
			"Content-Type: application/json;charset=utf-16": 415, "Content-Type: application/json; charset=UTF-8": 400,
			"Content-Encoding: gzip": 415, "Content-Type: application/json, text/plain": 415,
		} {
			if got, text, _ := s.request(t, http.MethodPost, `x`, header); got != want {
				t.Errorf("%s: got %d %s", header, got, text)
			}
		}
		conn, response, err := websocket.Dial(t.Context(), s.url, &websocket.DialOptions{HTTPClient: &http.Client{Transport: s.transport}, CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if e := response.Header.Get("Sec-WebSocket-Extensions"); e != "" {
			t.Errorf("extension %q was accepted", e)
		}
	}, "long-polling")
}

// frame forms a masked client frame.
func frame(opcode byte, fin bool, payload []byte) []byte {
	b := []byte{opcode}
	if fin {
		b[0] |= 0x80
	}
	if len(payload) < 126 {
		b = append(b, 0x80|byte(len(payload)))
	} else {
		b = append(b, 0x80|126)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	}
	b = append(b, 0, 0, 0, 0) // a mask of zeros changes nothing
	return append(b, payload...)
}

// rawSocket upgrades a connection by hand.
func rawSocket(t testing.TB, s *site, header ...string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := s.listener.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	lines := append([]string{"GET /cometd HTTP/1.1", "Host: portal.example", "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, reader, response
}

// rawClose reads frames until the close frame and returns its code, or -1 if
// the connection ended without.
func rawClose(reader *bufio.Reader) int {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(reader, head); err != nil {
			return -1
		}
		n := int(head[1] & 0x7f)
		if n == 126 {
			var long [2]byte
			if _, err := io.ReadFull(reader, long[:]); err != nil {
				return -1
			}
			n = int(binary.BigEndian.Uint16(long[:]))
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(reader, payload); err != nil {
			return -1
		}
		if head[0]&15 == 8 && n >= 2 {
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

func TestThreatsFromFrames(t *testing.T) {
	text := []byte(`[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
	storm := func(n int, fragment []byte) []byte {
		b := frame(1, false, fragment)
		return append(b, bytes.Repeat(frame(0, false, fragment), n)...)
	}
	for name, test := range map[string]struct {
		send []byte
		want int
	}{
		"T9 unmasked":               {[]byte{0x81, 0x02, '[', ']'}, 1002},
		"T9 reserved bits":          {append([]byte{0xf1}, frame(1, true, text)[1:]...), 1002},
		"T9 reserved opcode":        {frame(3, true, text), 1002},
		"T9 long ping":              {frame(9, true, make([]byte, 126)), 1002},
		"T9 fragmented ping":        {frame(9, false, nil), 1002},
		"T9 lone continuation":      {frame(0, true, text), 1002},
		"T9 interleaved":            {append(frame(1, false, []byte("[")), frame(1, true, text)...), 1002},
		"T9 fragment storm":         {storm(100, []byte(" ")), 1008},
		"T9 empty fragments":        {storm(5, nil), 1008},
		"T9 endless message":        {frame(1, false, []byte("[")), 1008},
		"T1 bad UTF-8":              {frame(1, true, []byte("[{\"a\":\"\xff\"}]")), 1007},
		"T1 binary":                 {frame(2, true, text), 1003},
		"T10 ping flood":            {bytes.Repeat(frame(9, true, []byte("x")), 200), 1008},
		"T10 pong flood":            {bytes.Repeat(frame(10, true, []byte("x")), 200), 1008},
		"T10 few unsolicited pongs": {append(bytes.Repeat(frame(10, true, nil), 3), frame(8, true, []byte{3, 232})...), 1000},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, nil)
				conn, reader, _ := rawSocket(t, s)
				code := inBackground(func() int { return rawClose(reader) })
				go func() { _, _ = conn.Write(test.send) }()
				if got := <-code; got != test.want {
					t.Errorf("closed with %d, want %d", got, test.want)
				}
				_ = conn.Close()
				synctest.Wait()
				if n := s.Stats().Sockets; n != 0 {
					t.Errorf("%d sockets left", n)
				}
			})
		})
	}
}

func TestThreatsOnChannels(t *testing.T) {
	threat(t, "T13 names make no channel", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, name := range []string{"/", "//", "/a//b", "/../x", "/" + strings.Repeat("x", 10_000), "/а", "/ ", "/%2f", `/\u0007`} {
			wantError(t, ask(t, c, `{"id":"1","channel":"`+name+`","data":1}`), "405::channel_invalid")
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"`+name+`"}`), "403::subscription_invalid")
		}
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels", n)
		}
	})
	threat(t, "T14 wildcards", &bayeux.Options{DenyWildcards: true}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for _, name := range []string{"/**", "/*", "/eXo/**", "/call/*", "/user/**"} {
			wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"`+name+`"}`), "403:"+policy+":subscribe_denied")
		}
		subscribe(t, c, "/call/1")
	})
	threat(t, "T18 all or nothing", &bayeux.Options{DenyWildcards: true}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":["/a","/**"]}`), "403:"+policy+":subscribe_denied")
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels", n)
		}
	})
	threat(t, "T19 many subscriptions", nil, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		for i := range 128 {
			subscribe(t, c, fmt.Sprintf("/a/%d", i))
		}
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":"/a/128"}`), "403:limit:subscribe_denied")
		subscribe(t, c, "/a/0")
		list, _ := json.Marshal(make([]string, 33))
		wantError(t, ask(t, c, `{"id":"1","channel":"/meta/subscribe","subscription":`+strings.ReplaceAll(string(list), `""`, `"/b"`)+`}`), "403:limit:subscribe_denied")
		wantOK(t, ask(t, c, `{"id":"1","channel":"/meta/disconnect"}`))
		if n := s.Stats().Channels; n != 0 {
			t.Errorf("%d channels left", n)
		}
	})
	threat(t, "T12 what is wrong counts as well", &bayeux.Options{MaxMessageRate: 10, MaxMessageBurst: 20}, func(t *testing.T, s *site, transport string) {
		for name, object := range map[string]string{
			"no channel": `{"id":"1","clientId":"%s"}`, "bad id": `{"id":"","clientId":"%s","channel":"/a"}`, "another's": `{"id":"1","clientId":"x","channel":"/a","data":1}`,
		} {
			k := s.connected(t, transport)
			start := time.Now()
			for range 40 {
				k.exchange(t, "["+strings.ReplaceAll(object, "%s", k.id())+"]")
			}
			if d := time.Since(start); d < time.Second && (transport == "websocket" || name != "another's") {
				t.Errorf("%s: 40 messages took %v", name, d)
			}
		}
	})
	threat(t, "T12 who is slowed down does not expire", &bayeux.Options{
		MaxMessageRate: 5, MaxMessageBurst: 50, Timeout: 3 * time.Second, MaxInterval: 5 * time.Second,
	}, func(t *testing.T, s *site, transport string) {
		k := s.connected(t, transport).(*socketClient)
		k.write(t, say(k, `{"id":"c","channel":"/meta/connect","connectionType":"websocket"}`))
		list := make([]string, 64)
		go func() {
			for i := range 3 {
				for j := range list {
					list[j] = fmt.Sprintf(`{"id":"m%d","channel":"/a","data":1}`, 64*i+j)
				}
				k.write(t, say(k, slices.Clone(list)...))
			}
			k.write(t, say(k, `{"id":"last","channel":"/meta/connect","connectionType":"websocket"}`))
		}()
		for replies := 0; replies < 194; {
			for _, m := range k.read(t) {
				wantOK(t, m)
				replies++
			}
		}
	}, "websocket")
	threat(t, "T12 and T19 flood", &bayeux.Options{MaxMessageRate: 10, MaxMessageBurst: 20}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		start := time.Now()
		for i := range 100 {
			wantOK(t, ask(t, c, fmt.Sprintf(`{"id":"%d","channel":"/a","data":1}`, i)))
		}
		// 101 messages, of which 20 at once.
		if d := time.Since(start); d < 7*time.Second || d > 9*time.Second {
			t.Errorf("took %v", d)
		}
	})
	threat(t, "T19 lasting flood", &bayeux.Options{MaxMessageRate: 1, MaxMessageBurst: 2}, func(t *testing.T, s *site, transport string) {
		c := s.connected(t, transport)
		batch := make([]string, 30)
		for i := range batch {
			batch[i] = `{"id":"1","channel":"/a","data":1}`
		}
		for _, r := range c.exchange(t, say(c, batch...)) {
			wantError(t, r, "429::too_many_messages")
		}
	}, "long-polling")
}

func TestThreatsOnSessions(t *testing.T) {
	threat(t, "T11 protocol order", nil, func(t *testing.T, s *site, transport string) {
		c := s.client(t, transport)
		got := c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"},{"id":"2","channel":"/a","data":1},{"id":"3","channel":"/meta/handshake","version":"1.0"}]`)
		wantOK(t, find(t, got, "1"))
		wantError(t, find(t, got, "2"), "400::protocol_violation")
		wantError(t, find(t, got, "3"), "400::protocol_violation")
		if n := s.Stats().Sessions; n != 1 {
			t.Errorf("%d sessions", n)
		}
	})
	threat(t, "T22 guessing", &bayeux.Options{MaxUnknownPerAddress: 20}, func(t *testing.T, s *site, transport string) {
		known := s.connected(t, transport)
		guess := func(i int) (refused bool) {
			m := fmt.Sprintf(`[{"id":"1","channel":"/meta/connect","clientId":"guess%d"}]`, i)
			if transport == "long-polling" {
				status, _, _ := s.request(t, http.MethodPost, m)
				return status == http.StatusTooManyRequests
			}
			k := s.socket(t, nil)
			k.write(t, m)
			if i < 20 {
				wantError(t, k.next(t), "402::session_unknown")
				return false
			}
			return k.closeCode(t) == 1013
		}
		refused := 0
		for i := range 50 {
			if guess(i) {
				refused++
			}
		}
		if refused != 30 {
			t.Errorf("%d refused", refused)
		}
		wantOK(t, ask(t, known, `{"id":"1","channel":"/a","data":1}`)) // its neighbours are not concerned
		time.Sleep(time.Minute)
		hello(t, s.client(t, transport), "")
	})
	foreign := &bayeux.Options{
		Authenticate: func(_ context.Context, _ *http.Request, m *bayeux.Message) (bayeux.Identity, error) {
			return bayeux.Identity{User: m.StringField("user")}, nil
		},
		Reauthenticate: func(_ context.Context, r *http.Request, s *bayeux.Session) error {
			if user := r.Header.Get("X-User"); user != "" && user != s.Identity().User {
				return bayeux.ErrForeign
			}
			return nil
		},
	}
	threat(t, "T23 stolen id", foreign, func(t *testing.T, s *site, transport string) {
		victim := s.client(t, transport)
		hello(t, victim, `,"user":"ann"`)
		subscribe(t, victim, "/a")
		var thief client = s.socket(t, http.Header{"X-User": {"bob"}})
		if transport == "long-polling" {
			thief = s.poller(t)
			hello(t, thief, `,"user":"bob"`)
		}
		thief.setID(victim.id())
		for _, m := range []string{`{"id":"1","channel":"/meta/connect"}`, `{"id":"1","channel":"/meta/disconnect"}`, `{"id":"1","channel":"/a","data":1}`} {
			wantError(t, ask(t, thief, m), "402::session_unknown")
		}
		publish(t, s, "/a", "1")
		wantNext(t, victim, "1")
	})
	threat(t, "T24 ids stay secret", nil, func(t *testing.T, s *site, transport string) {
		a, b := s.connected(t, transport), s.connected(t, transport)
		subscribe(t, b, "/a")
		wantOK(t, ask(t, a, `{"id":"1","channel":"/a","data":{},"ext":{"clientId":"`+a.id()+`"}}`))
		if m := b.next(t); strings.Contains(m.raw, a.id()) {
			t.Errorf("got %s", m)
		}
	})
	threat(t, "T30 sessions are bounded", &bayeux.Options{MaxSessions: 2, MaxHandshakesPerAddress: bayeux.Unlimited}, func(t *testing.T, s *site, transport string) {
		s.connected(t, transport)
		s.connected(t, transport)
		if transport == "websocket" {
			c := s.socket(t, nil)
			c.write(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
			if code := c.closeCode(t); code != 1013 {
				t.Errorf("closed with %d", code)
			}
			return
		}
		status, _, header := s.request(t, http.MethodPost, `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`)
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
			t.Errorf("status %d, header %v", status, header)
		}
		time.Sleep(20 * time.Second)
		s.connected(t, transport)
	})
	threat(t, "T30 handshake flood", nil, func(t *testing.T, s *site, transport string) {
		const shake = `[{"id":"1","channel":"/meta/handshake","version":"1.0"}]`
		refused := 0
		for i := range 150 {
			if transport == "long-polling" {
				status, _, header := s.request(t, http.MethodPost, shake)
				if status == http.StatusServiceUnavailable && header.Get("Retry-After") != "" {
					refused++
				}
				continue
			}
			k := s.socket(t, nil)
			if k.write(t, shake); i < 100 {
				wantOK(t, k.next(t))
			} else if k.closeCode(t) == 1013 {
				refused++
			}
		}
		if refused != 50 {
			t.Errorf("%d refused", refused)
		}
		// Those that do not connect do not stay, and do not count for ever.
		time.Sleep(20 * time.Second)
		if n := s.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions", n)
		}
		hello(t, s.client(t, transport), "")
	})
	threat(t, "T30 sessions of one user", &bayeux.Options{MaxSessionsPerUser: 2, Authenticate: foreign.Authenticate}, func(t *testing.T, s *site, transport string) {
		a := s.client(t, transport)
		hello(t, a, `,"user":"ann"`)
		if p, ok := a.(*poller); ok {
			held := inBackground(func() []*message { return p.poll(t) })
			defer func() { <-held }()
			synctest.Wait()
		}
		s.client(t, transport).exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","user":"ann"}]`)
		c := s.client(t, transport)
		r := one(t, c.exchange(t, `[{"id":"1","channel":"/meta/handshake","version":"1.0","user":"ann"}]`))
		if transport == "websocket" {
			// Both have open sockets.
			wantError(t, r, "403:too_many_sessions:handshake_denied")
			return
		}
		wantOK(t, r)
		synctest.Wait()
		if n := len(s.UserSessions("ann")); n != 2 {
			t.Errorf("%d sessions", n)
		}
	})
	for _, ack := range []string{"", `,"ext":{"ack":true}`} {
		var ends endings
		threat(t, "T31 stalled reader "+ack, &bayeux.Options{OnSessionClosed: ends.hook, MaxQueueBytes: 100_000}, func(t *testing.T, s *site, transport string) {
			ends.list = nil
			slow, quick := s.client(t, transport), s.connected(t, transport)
			hello(t, slow, ack)
			subscribe(t, slow, "/a")
			subscribe(t, quick, "/b")
			data := json.RawMessage(`"` + strings.Repeat("x", 10_000) + `"`)
			for range 60 {
				publish(t, s, "/a", string(data))
				synctest.Wait()
			}
			publish(t, s, "/b", "1")
			wantNext(t, quick, "1")
			ends.want(t, bayeux.ReasonSlow)
			if transport == "long-polling" {
				r := ask(t, slow, `{"id":"1","channel":"/meta/connect"}`)
				wantError(t, r, "402::session_unknown")
				if r.Advice["reconnect"] != "handshake" {
					t.Errorf("got %s", r)
				}
				return
			}
			time.Sleep(8 * time.Second)
			synctest.Wait()
			if n := s.Stats().Sockets; n != 1 {
				t.Errorf("%d sockets", n)
			}
		})
	}
}
