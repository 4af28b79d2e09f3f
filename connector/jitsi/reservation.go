package jitsi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

// conference answers a reservation.
type conference struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	MailOwner    string `json:"mail_owner"`
	StartTime    string `json:"start_time"`
	Duration     int64  `json:"duration"`
	MaxOccupants int    `json:"max_occupants,omitempty"`
	Lobby        bool   `json:"lobby,omitempty"`
}

// reservationTime is how reservations write times.
const reservationTime = "2006-01-02T15:04:05.000Z07:00"

// reservation lets the server open rooms of calls, and no others. Nothing is
// remembered: the id of a reservation is the room and the time of its opening.
func (p *Provider) reservation(c *setup, r webconferencing.WebhookRequest, id string, now time.Time) (*webconferencing.WebhookReply, error) {
	if id == "" {
		if r.Method != http.MethodPost {
			return refuse(http.StatusMethodNotAllowed, "only POST is known here")
		}
		form, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return nil, malformed(err)
		}
		// The name may come as the whole address of the room.
		room, _, _ := strings.Cut(strings.ToLower(form.Get("name")), "@")
		if _, ours := p.runOf(room); !ours {
			return refuse(http.StatusForbidden, "this room is not open")
		}
		start := now
		if t, err := time.Parse(reservationTime, form.Get("start_time")); err == nil && recent(t, now) {
			start = t
		}
		return confirm(c, room, start)
	}
	room, start, ok := parseReservation(id)
	at, ours := p.runOf(room)
	if !ok || !ours || start.Sub(now) > maxFuture || now.Sub(start) > c.maxDuration+maxEventAge {
		return refuse(http.StatusNotFound, "there is no such reservation")
	}
	switch r.Method {
	case http.MethodGet:
		return confirm(c, room, start)
	case http.MethodDelete:
		reply := &webconferencing.WebhookReply{Status: http.StatusOK}
		if now.Sub(start) >= c.maxDuration-clockLeeway {
			reply.Evidence = []webconferencing.Evidence{{
				Key: "reservation " + id, Type: webconferencing.EvidenceEnded, Call: at.call, Epoch: at.epoch, Time: now,
			}}
		}
		return reply, nil
	}
	return refuse(http.StatusMethodNotAllowed, "only GET and DELETE are known here")
}

func reservationID(room string, start time.Time) string {
	return room + "-" + strconv.FormatInt(start.Unix(), 10)
}

func parseReservation(id string) (room string, start time.Time, ok bool) {
	room, seconds, found := strings.Cut(id, "-")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if !found || err != nil || n <= 0 || n > 1e11 {
		return "", time.Time{}, false
	}
	return room, time.Unix(n, 0).UTC(), true
}

func confirm(c *setup, room string, start time.Time) (*webconferencing.WebhookReply, error) {
	return answer(http.StatusOK, conference{
		ID: reservationID(room, start), Name: room, StartTime: start.UTC().Format(reservationTime),
		Duration: int64(c.maxDuration / time.Second), MaxOccupants: c.maxOccupants, Lobby: c.lobby,
	})
}

func refuse(status int, message string) (*webconferencing.WebhookReply, error) {
	return answer(status, map[string]string{"message": message})
}

func answer(status int, body any) (*webconferencing.WebhookReply, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &webconferencing.WebhookReply{Status: status, ContentType: "application/json", Body: raw}, nil
}
