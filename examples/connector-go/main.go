// A Cranker connector for versions 3.0 and 1.0. Numbers in parentheses are sections of docs/protocol.md.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

const data, header, rstStream, windowUpdate, endStream, endHeaders = 0, 1, 3, 8, 1, 4 // (5.1)

var (
	requestLine   = regexp.MustCompile(`(?m)\A(\S+) (/|/[^/\s]\S*|\*)( .*)?$`) // (3.3, 8.4)
	fieldLine     = regexp.MustCompile("(?m)^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$")
	controls      = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f]`)
	eightBits     = regexp.MustCompile(`[\x{80}-\x{ff}]`)
	between       = ",keep-alive,proxy-connection,transfer-encoding,te,trailer,upgrade,http2-settings,proxy-authorization,proxy-authenticate,expect,connection"
	markers       = map[string]string{"_1": "\x01\x04\x00\x00\x00\x01", "_2": "\x01\x05\x00\x00\x00\x01", "_3": "\x00\x01\x00\x00\x00\x01"} // (4.1)
	messages      = map[byte]websocket.MessageType{data: websocket.MessageBinary, header: websocket.MessageText}                            // (4.2)
	route         = flag.String("route", "*", "path prefix")
	target        = flag.String("target", "", "http://host:port of the service")
	protocol      = flag.String("protocol", "3.0,1.0", "versions, the preferred one first")
	query         = fmt.Sprintf("/?connectorInstanceID=%x%x&componentName=example", rand.Uint64(), rand.Uint64())
	service       = &http.Transport{DisableCompression: true, DisableKeepAlives: true, WriteBufferSize: 1} // sends at once
	dialling      sync.RWMutex
	open          sync.WaitGroup
	stopped, stop = context.WithCancel(context.Background())
)

// exchange is a request and its response: one of many on a socket of 3.0 (5), the only one of its socket on 1.0 (4).
type exchange struct {
	*websocket.Conn
	old   bool // it speaks 1.0
	id    uint32
	head  []byte
	begun bool
	body  *io.PipeReader // of the request
	feed  *io.PipeWriter
	turn  chan bool    // of the next piece of the request body
	sent  atomic.Int64 // bytes that the router has not acknowledged (5.4)
	ctx   context.Context
	end   context.CancelFunc
}

// send sends a frame, or the message of 1.0 that says the same (4.2). What fails is seen by who reads.
func (x *exchange) send(kind, flags byte, payload []byte) {
	if !x.old {
		frame := append(binary.BigEndian.AppendUint32([]byte{kind, flags}, x.id), payload...)
		x.Conn.Write(context.Background(), websocket.MessageBinary, frame)
	} else if kind == data || kind == header {
		x.Conn.Write(context.Background(), messages[kind], payload)
	}
}

// Write is called with pieces of the response body.
func (x *exchange) Write(piece []byte) (int, error) {
	for !x.old && x.sent.Load() > 65536 && x.ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	x.sent.Add(int64(len(piece)))
	x.send(data, 0, piece)
	return len(piece), x.ctx.Err()
}

// forwardable removes what is between two neighbours only (8.2).
func forwardable(fields http.Header) http.Header {
	for _, name := range strings.Split(strings.Join(fields["Connection"], ",")+between, ",") {
		fields.Del(strings.TrimSpace(name))
	}
	return fields
}

// answer gives the request to the service, and the response to the router. The code is that of the Close frame (4.4).
func (x *exchange) answer(hasBody bool) websocket.StatusCode {
	octets := eightBits.ReplaceAllFunc(x.head, func(c []byte) []byte { return []byte{c[0]<<6 | c[1]&63} }) // (3.2)
	head, _, _ := strings.Cut(strings.ReplaceAll(string(octets), "\r\n", "\n"), "\n\n")
	first, fields := requestLine.FindStringSubmatch(head), http.Header{}
	if first == nil || controls.MatchString(head) {
		return 1008
	}
	for _, field := range fieldLine.FindAllStringSubmatch(head, -1) {
		fields.Add(field[1], field[2])
	}
	where := &url.URL{Scheme: "http", Host: strings.TrimPrefix(*target, "http://"), Opaque: first[2]} // as text (8.4)
	request := &http.Request{Method: first[1], URL: where, Host: fields.Get("Host")}
	if hasBody {
		request.Body, request.ContentLength = x.body, -1
		fmt.Sscan(fields.Get("Content-Length"), &request.ContentLength)
	}
	request.Header = forwardable(fields)
	fields["User-Agent"] = append(fields["User-Agent"], "")        // none is made up
	response, err := service.RoundTrip(request.WithContext(x.ctx)) // perhaps before the request is complete (5.2)
	if err != nil {
		return 1011
	}
	text := []rune("HTTP/1.1 " + response.Status + "\n")
	for name, values := range forwardable(response.Header) {
		for _, octet := range []byte(name + ":" + strings.Join(values, "\n"+name+":") + "\n") {
			text = append(text, rune(octet)) // (3.2)
		}
	}
	x.sent.Add(int64(len(string(text))))
	for ; len(text) > 8000 && !x.old; text = text[8000:] { // 16,000 bytes at most, cut between code points (5.2)
		x.send(header, 0, []byte(string(text[:8000])))
	}
	x.send(header, endHeaders, []byte(string(text)))
	if _, err = io.CopyBuffer(x, response.Body, make([]byte, 16384)); err != nil {
		return 1011
	}
	return 1000
}

// run serves a request, and tells the router how that ended (4.4, 5.2, 5.3).
func (x *exchange) run(hasBody bool) {
	defer x.end()
	x.send(windowUpdate, 0, binary.BigEndian.AppendUint32(nil, uint32(len(x.head)))) // (5.4)
	code := x.answer(hasBody)
	switch {
	case x.ctx.Err() != nil: // RST_STREAM came, or the socket is gone
	case x.old:
		x.Ping(x.ctx) // with its pong, the router has read the tail (4.2)
		x.Close(code, "")
	case code == 1000:
		x.send(data, endStream, nil)
	default:
		x.send(rstStream, 0, []byte{0, 0, 3, 0xf3})
	}
}

// upload gives a piece of the request body to the service, when it has taken the one before.
func (x *exchange) upload(piece []byte, last bool, before, after chan bool) {
	defer close(after)
	<-before
	x.feed.Write(piece)
	x.send(windowUpdate, 0, binary.BigEndian.AppendUint32(nil, uint32(len(piece)))) // (5.4)
	if last {
		x.feed.Close()
	}
}

// serve reads a socket until it is closed, and on 3.0 waits for nothing else (5.7).
func serve(conn *websocket.Conn, router string) (taken bool, err error) {
	ctx, gone := context.WithCancel(context.Background())
	defer gone()
	defer conn.CloseNow()
	running, old, exchanges := sync.Map{}, conn.Subprotocol() != "cranker_3.0", sync.WaitGroup{}
	defer context.AfterFunc(stopped, func() { // (7.4)
		time.AfterFunc(30*time.Second, func() { conn.Close(1001, "") })
		conn.Ping(ctx) // with its pong, all is here that was sent before the deregistration was read (6.3)
		exchanges.Wait()
		conn.Close(1001, "")
	})()
	conn.SetReadLimit(1 << 20)
	for {
		kind, frame, err := conn.Read(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			continue // a pong found no way out (4.3)
		} else if err != nil {
			return taken, err
		}
		if text := strings.TrimSpace(string(frame)); old && kind == websocket.MessageText { // as on 3.0 (4.1)
			frame = []byte(markers[text[max(0, len(text)-2):]] + strings.TrimRight(text, "_123"))
		} else if old {
			frame = append([]byte{data, 0, 0, 0, 0, 1}, frame...)
		} else if kind == websocket.MessageText {
			continue // (5.5)
		}
		if len(frame) < 6 || old && frame[0] > header {
			conn.Close(1002, "")
			continue
		}
		flags, id, payload := frame[1], binary.BigEndian.Uint32(frame[2:]), frame[6:]
		known, _ := running.Load(id)
		x, _ := known.(*exchange)
		if x == nil && frame[0] == header && !taken {
			x = &exchange{Conn: conn, old: old, id: id, turn: make(chan bool)}
			x.ctx, x.end = context.WithCancel(ctx)
			x.body, x.feed = io.Pipe()
			running.Store(id, x)
			exchanges.Add(1)
			context.AfterFunc(x.ctx, func() {
				x.body.Close()
				running.Delete(id)
				exchanges.Done()
			})
			close(x.turn)
			if taken = old; taken {
				go keep(router) // the next socket, at once (7.1)
			}
		}
		switch {
		case x == nil: // it is over, or unknown
		case frame[0] == header && !x.begun && len(x.head) < 65536:
			x.head, x.begun = append(x.head, payload...), flags&endHeaders != 0
			if x.begun {
				go x.run(flags&endStream == 0)
			}
		case frame[0] == data:
			before, after := x.turn, make(chan bool)
			x.turn = after
			go x.upload(payload, flags&endStream != 0, before, after)
			if old {
				<-after // not to read is the only brake (4.3)
			}
		case frame[0] == windowUpdate && len(payload) >= 4:
			x.sent.Add(-int64(binary.BigEndian.Uint32(payload)))
		case frame[0] == rstStream:
			x.end()
		}
	}
}

// dial opens a socket (2.1).
func dial(router, path string, versions ...string) (*websocket.Conn, error) {
	fields := http.Header{"Route": {*route}, "Domain": {"*"}, "CrankerProtocol": {"1.0"}}
	options := &websocket.DialOptions{HTTPClient: &http.Client{Timeout: 5 * time.Second}, HTTPHeader: fields, Subprotocols: versions}
	conn, _, err := websocket.Dial(context.Background(), strings.TrimRight(router, "/")+path+query, options)
	return conn, err
}

// keep keeps one socket of the sliding window (7.1).
func keep(router string) {
	for taken := false; !taken; time.Sleep(time.Second + rand.N(time.Second)) { // (7.2)
		dialling.RLock() // for ever when the connector stops
		open.Add(1)
		conn, err := dial(router, "/register", strings.Split("cranker_"+strings.ReplaceAll(*protocol, ",", ",cranker_"), ",")...)
		dialling.RUnlock()
		if err == nil {
			taken, err = serve(conn, router)
		}
		open.Done()
		log.Printf("%s: %v", router, err)
	}
}

func main() {
	var routers []string
	flag.Func("router", "ws://host:port; may be repeated", func(url string) error {
		routers = append(routers, url)
		return nil
	})
	flag.Parse()
	for _, router := range routers {
		go keep(router)
		go keep(router)
	}
	signalled, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	<-signalled.Done()
	dialling.Lock() // what is under way completes (7.4)
	for _, router := range routers {
		if conn, err := dial(router, "/deregister"); err == nil {
			time.AfterFunc(2*time.Second, func() { conn.CloseNow() })
			conn.Read(context.Background()) // until it is closed (2.4)
		}
	}
	stop()
	open.Wait()
}
