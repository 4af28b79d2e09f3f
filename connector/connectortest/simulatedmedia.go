package connectortest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/webconferencing/webconferencing"
)

// signatureHeader carries the hex HMAC-SHA256 of a webhook's body.
const signatureHeader = "X-Simulated-Signature"

// report is the body of a webhook of the simulated server.
type report struct {
	Key        string                       `json:"key"`
	Type       webconferencing.EvidenceType `json:"type"`
	Call       webconferencing.CallID       `json:"call"`
	Epoch      uint64                       `json:"epoch"`
	Connection string                       `json:"connection"`
	User       webconferencing.UserID       `json:"user"`
	Seat       webconferencing.SeatID       `json:"seat"`
	Time       time.Time                    `json:"time"`
}

// Enter lets a device connect to a meeting and returns the connection's name.
func (s *Simulated) Enter(ref webconferencing.SeatRef, user webconferencing.UserID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	name := fmt.Sprintf("conn-%d", s.serial)
	a := webconferencing.Attendee{Connection: name, User: user, Seat: ref.Seat, Joined: time.Now()}
	if r := s.meetings[roomKey(ref.Call, ref.Epoch)]; r != nil {
		r.inside[name] = a
	}
	s.post(webconferencing.EvidenceJoined, ref, a)
	return name
}

// Exit lets a connection end.
func (s *Simulated) Exit(ref webconferencing.SeatRef, connection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := webconferencing.Attendee{Connection: connection}
	if r := s.meetings[roomKey(ref.Call, ref.Epoch)]; r != nil {
		a = r.inside[connection]
		delete(r.inside, connection)
	}
	a.Connection = connection
	s.post(webconferencing.EvidenceLeft, ref, a)
}

// Finish ends a meeting for all on the server's side.
func (s *Simulated) Finish(ref webconferencing.SeatRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.meetings[roomKey(ref.Call, ref.Epoch)]; r != nil {
		r.ended = true
		clear(r.inside)
	}
	s.post(webconferencing.EvidenceEnded, ref, webconferencing.Attendee{})
}

// post puts a webhook into the outbox; s.mu is held.
func (s *Simulated) post(typ webconferencing.EvidenceType, ref webconferencing.SeatRef, a webconferencing.Attendee) {
	s.serial++
	body, err := json.Marshal(report{
		Key: fmt.Sprintf("key-%d", s.serial), Type: typ, Call: ref.Call, Epoch: ref.Epoch,
		Connection: a.Connection, User: a.User, Seat: a.Seat, Time: time.Now(),
	})
	if err != nil {
		panic(err) // unreachable: nothing in it can fail
	}
	s.outbox = append(s.outbox, webconferencing.WebhookRequest{
		Method: "POST", Path: "events", Body: body, Remote: netip.MustParseAddr("192.0.2.1"),
		Header: map[string][]string{signatureHeader: {s.sign(body)}, "Content-Type": {"application/json"}},
	})
}

func (s *Simulated) sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(s.opts.Secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Webhook implements [webconferencing.WebhookReceiver].
func (s *Simulated) Webhook(ctx context.Context, r webconferencing.WebhookRequest) (*webconferencing.WebhookReply, error) {
	if err := s.do(ctx, "Webhook"); err != nil {
		return nil, err
	}
	signature := append(r.Header[signatureHeader], "")[0]
	if !hmac.Equal([]byte(signature), []byte(s.sign(r.Body))) {
		return nil, &webconferencing.Error{Code: webconferencing.CodeDenied, Message: "the signature is wrong"}
	}
	var rep report
	if err := json.Unmarshal(r.Body, &rep); err != nil {
		return nil, &webconferencing.Error{Code: webconferencing.CodeInvalid, Message: "the body is not a report"}
	}
	return &webconferencing.WebhookReply{Evidence: []webconferencing.Evidence{{
		Key: rep.Key, Type: rep.Type, Call: rep.Call, Epoch: rep.Epoch, Time: rep.Time,
		Attendee: webconferencing.Attendee{Connection: rep.Connection, User: rep.User, Seat: rep.Seat},
	}}}, nil
}

// Delivery says what happens to webhooks on their way. The zero value delivers
// all in order, each once.
type Delivery struct {
	Lose    float64 // the share that is lost
	Double  float64 // the share that comes twice
	Shuffle bool    // in any order
	// Keep is how many of the last ones stay behind for the next delivery.
	Keep int
	// Seed makes it repeatable.
	Seed uint64
}

// Deliver sends what the server has to report since the last time. The first
// error ends it; what was not sent stays for the next time.
func (s *Simulated) Deliver(d Delivery, send func(webconferencing.WebhookRequest) error) error {
	s.mu.Lock()
	cut := max(len(s.outbox)-d.Keep, 0)
	list := slices.Clone(s.outbox[:cut])
	s.outbox = slices.Clone(s.outbox[cut:])
	s.mu.Unlock()
	chance := rand.New(rand.NewPCG(d.Seed, 1))
	var sent []webconferencing.WebhookRequest
	for _, r := range list {
		if chance.Float64() < d.Lose {
			continue
		}
		sent = append(sent, r)
		if chance.Float64() < d.Double {
			sent = append(sent, r)
		}
	}
	if d.Shuffle {
		chance.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
	}
	for i, r := range sent {
		if err := send(r); err != nil {
			s.mu.Lock()
			s.outbox = append(slices.Clone(sent[i:]), s.outbox...)
			s.mu.Unlock()
			return err
		}
	}
	return nil
}
