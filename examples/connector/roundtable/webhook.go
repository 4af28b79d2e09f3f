package roundtable

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/webconferencing/webconferencing"
)

// Webhook implements [webconferencing.WebhookReceiver].
func (p *Provider) Webhook(_ context.Context, r webconferencing.WebhookRequest) (*webconferencing.WebhookReply, error) {
	// Nothing is looked at before it is known who sent it.
	signature := http.Header(r.Header).Get("Roundtable-Signature")
	if !hmac.Equal([]byte(signature), []byte(mac(p.current.Load().secret, "hook "+string(r.Body)))) {
		return nil, &webconferencing.Error{Code: webconferencing.CodeDenied, Message: "wrong signature"}
	}
	var e struct {
		Event      webconferencing.EvidenceType `json:"event"` // joined or left
		Connection string                       `json:"connection"`
		At         int64                        `json:"at"` // Unix seconds
		Ref        ref                          `json:"ref"`
	}
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return nil, &webconferencing.Error{Code: webconferencing.CodeInvalid, Message: "not an event", Err: err}
	}
	reply := &webconferencing.WebhookReply{}
	at := time.Unix(e.At, 0)
	// The library knows repeats for a day. What is older could be one.
	if time.Since(at) > 24*time.Hour {
		return reply, nil
	}
	switch e.Event {
	case webconferencing.EvidenceJoined, webconferencing.EvidenceLeft:
		reply.Evidence = []webconferencing.Evidence{{
			Key:      fmt.Sprintf("%s %s", e.Event, e.Connection), // a connection joins once and leaves once
			Type:     e.Event,
			Call:     e.Ref.Call,
			Epoch:    e.Ref.Epoch,
			Attendee: webconferencing.Attendee{Connection: e.Connection, User: e.Ref.User, Seat: e.Ref.Seat},
			Time:     at,
		}}
	}
	return reply, nil
}
