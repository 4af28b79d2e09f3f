package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
)

// start runs the program's server with some flags. The function that it returns
// sends one request and returns the status and the response.
func start(t *testing.T, flags ...string) (send func(body string) (int, string)) {
	t.Helper()
	c, err := parse(flags)
	if err != nil {
		t.Fatal(err)
	}
	server, err := newServer(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		web.Close()
	})
	client := &http.Client{Jar: jar, Transport: web.Client().Transport}
	return func(body string) (int, string) {
		t.Helper()
		response, err := client.Post(web.URL, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
}

const shake = `[{"channel":"/meta/handshake","version":"1.0","ext":{"replay":true,"ack":true}}]`

// enter makes a session and returns its id.
func enter(t *testing.T, send func(string) (int, string)) string {
	t.Helper()
	status, text := send(strings.Replace(shake, `"ack":true`, `"ack":false`, 1))
	var replies []struct{ ClientID string }
	if err := json.Unmarshal([]byte(text), &replies); err != nil || status != http.StatusOK || replies[0].ClientID == "" {
		t.Fatalf("handshake: %d %s", status, text)
	}
	return replies[0].ClientID
}

func TestExtensionsAreOn(t *testing.T) {
	send := start(t)
	_, text := send(strings.Replace(shake, `"ack"`, `"timesync":{"tc":1,"l":0,"o":0},"ack"`, 1))
	for _, want := range []string{`"successful":true`, `"replay":true`, `"ack":true`, `"timesync":{`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestReplayOnEveryChannel checks that messages are kept on every channel, and
// that they are changed only where somebody has asked for that.
func TestReplayOnEveryChannel(t *testing.T) {
	send := start(t)
	id := enter(t, send)
	say := func(message string) string {
		t.Helper()
		_, text := send(fmt.Sprintf(`[{"id":"1","clientId":%q,%s}]`, id, message))
		return text
	}
	say(`"channel":"/meta/subscribe","subscription":"/plain"`)
	if text := say(`"channel":"/plain","data":{"n":1}`); !strings.Contains(text, `{"channel":"/plain","data":{"n":1}}`) {
		t.Errorf("got %s", text)
	}
	id = enter(t, send)
	if text := say(`"channel":"/meta/subscribe","subscription":"/plain","ext":{"replay":{"/plain":-2}}`); !strings.Contains(text, `"replayId":`) || !strings.Contains(text, `"n":1`) {
		t.Errorf("got %s", text)
	}
	say(`"channel":"/meta/subscribe","subscription":"/new","ext":{"replay":{"/new":-1}}`)
	if text := say(`"channel":"/new","data":{"n":2}`); !strings.Contains(text, `"replayId":`) {
		t.Errorf("got %s", text)
	}
}

func TestLimitsAreFlags(t *testing.T) {
	t.Run("-max-sessions", func(t *testing.T) {
		send := start(t, "-max-sessions", "2")
		enter(t, send)
		enter(t, send)
		if status, text := send(shake); status != http.StatusServiceUnavailable || !strings.Contains(text, "too_many_sessions") {
			t.Errorf("got %d %s", status, text)
		}
	})
	t.Run("-rate for handshakes", func(t *testing.T) {
		send := start(t, "-rate", "2")
		refused := 0
		for range 20 {
			if status, _ := send(shake); status == http.StatusServiceUnavailable {
				refused++
			}
		}
		if refused < 5 || refused > 10 { // ten at once, and some while this runs
			t.Errorf("%d refused", refused)
		}
	})
	t.Run("-rate for messages", func(t *testing.T) {
		send := start(t, "-rate", "1")
		id := enter(t, send)
		batch := strings.Repeat(fmt.Sprintf(`,{"channel":"/a","data":1,"clientId":%q}`, id), 20)
		if _, text := send("[" + batch[1:] + "]"); strings.Count(text, "429::too_many_messages") != 20 {
			t.Errorf("got %s", text)
		}
	})
	t.Run("no -rate", func(t *testing.T) {
		send := start(t)
		for range 150 {
			if status, text := send(shake); status != http.StatusOK {
				t.Fatalf("got %d %s", status, text)
			}
		}
	})
	t.Run("-max-queue", func(t *testing.T) {
		send := start(t, "-max-queue", "3")
		slow := enter(t, send)
		send(fmt.Sprintf(`[{"channel":"/meta/subscribe","subscription":"/a","clientId":%q}]`, slow))
		quick := enter(t, send)
		for range 4 {
			send(fmt.Sprintf(`[{"channel":"/a","data":1,"clientId":%q}]`, quick))
		}
		if _, text := send(fmt.Sprintf(`[{"channel":"/meta/connect","clientId":%q}]`, slow)); !strings.Contains(text, "402::session_unknown") {
			t.Errorf("got %s", text)
		}
	})
	for _, wrong := range [][]string{{"-rate", "-1"}, {"-rate", "x"}, {"-max-sessions", "x"}} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%v was accepted", wrong)
		}
	}
}
