package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestServer checks that the program's server answers a handshake.
func TestServer(t *testing.T) {
	c, err := parse([]string{"-max-queue", "10"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := newServer(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()
	response, err := http.Post(web.URL, "application/json", strings.NewReader(`[{"channel":"/meta/handshake","version":"1.0","ext":{"replay":true,"ack":true}}]`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"successful":true`, `"replay":true`, `"ack":true`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
