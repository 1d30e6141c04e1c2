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
	router, route    = flag.String("router", "", "ws://host:port,ws://host:port"), flag.String("route", "*", "path prefix")
	target, protocol = flag.String("target", "", "http://host:port"), flag.String("protocol", "3.0,1.0", "versions")
	requestLine      = regexp.MustCompile("(?m)\\A([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/\\S*|\\*)( .*)?$") // (3.3, 8.4)
	fieldLine        = regexp.MustCompile("(?m)^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*$")
	eightBits        = regexp.MustCompile(`[\x{80}-\x{ff}]`)
	between          = ",keep-alive,proxy-connection,transfer-encoding,te,trailer,upgrade,http2-settings,proxy-authorization,proxy-authenticate,expect,connection"
	markers          = map[string]string{"_1": "\x01\x04\x00\x00\x00\x01", "_2": "\x01\x05\x00\x00\x00\x01", "_3": "\x00\x01\x00\x00\x00\x01"} // (4.1)
	query            = fmt.Sprintf("/?connectorInstanceID=%x%x&componentName=example", rand.Uint64(), rand.Uint64())
	client           = &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	service          = &http.Transport{DisableCompression: true, DisableKeepAlives: true, WriteBufferSize: 1} // sends at once
	dialling, open   = sync.RWMutex{}, sync.WaitGroup{}
	stopped, stop    = context.WithCancel(context.Background())
)

func forwardable(fields http.Header) http.Header { // removes what is between two neighbours only (8.2)
	for _, name := range strings.Split(strings.Join(fields["Connection"], ",")+between, ",") {
		fields.Del(strings.TrimSpace(name))
	}
	return fields
}

// exchange begins an exchange: one of many on a socket of 3.0 (5), the only one on 1.0 (4). What it returns takes frames.
func exchange(ctx context.Context, conn *websocket.Conn, id uint32, running *sync.Map, start func(func())) func(byte, byte, []byte) {
	head, begun, old, sent := []byte{}, false, conn.Subprotocol() != "cranker_3.0", atomic.Int64{} // sent: less what is acknowledged
	ctx, end := context.WithCancel(ctx)
	body, feed := io.Pipe()
	context.AfterFunc(ctx, func() { body.Close(); running.Delete(id) })
	turn := time.After(0) // of the next piece of the request body
	send := func(kind, flags byte, payload []byte) {
		if !old {
			frame := append(binary.BigEndian.AppendUint32([]byte{kind, flags}, id), payload...)
			conn.Write(context.Background(), websocket.MessageBinary, frame)
		} else if kind <= header && len(payload) > 0 {
			conn.Write(context.Background(), websocket.MessageType(2-kind), payload) // HEADER is text, DATA is binary
		}
	}
	answer := func(body io.Reader) {
		defer end()
		octets := eightBits.ReplaceAllFunc(head, func(c []byte) []byte { return []byte{c[0]<<6 | c[1]&63} }) // (3.2)
		lines, _, _ := strings.Cut(strings.ReplaceAll(string(octets), "\r\n", "\n"), "\n\n")
		first, fields := append(requestLine.FindStringSubmatch(lines), "", "", "\x00"), http.Header{} // never sent
		for _, field := range fieldLine.FindAllStringSubmatch(lines+"\nUser-Agent:", -1) {            // none is made up
			fields.Add(field[1], field[2])
		}
		request, _ := http.NewRequestWithContext(ctx, first[1], *target, body)
		fmt.Sscan(fields.Get("Content-Length"), &request.ContentLength)
		request.URL.Opaque, request.Host, request.Header = first[2], fields.Get("Host"), forwardable(fields)
		response, err := service.RoundTrip(request) // perhaps before the request is complete (5.2)
		if err == nil {
			text := []rune("HTTP/1.1 " + response.Status + "\n")
			for name, values := range forwardable(response.Header) {
				for _, octet := range []byte(name + ":" + strings.Join(values, "\n"+name+":") + "\n") {
					text = append(text, rune(octet)) // (3.2)
				}
			}
			sent.Add(int64(len(string(text))))
			for ; len(text) > 8000 && !old; text = text[8000:] { // 16,000 bytes at most, cut between code points (5.2)
				send(header, 0, []byte(string(text[:8000])))
			}
			send(header, endHeaders, []byte(string(text)))
		}
		for n, buffer := 0, make([]byte, 16384); err == nil; sent.Add(int64(n)) {
			for !old && sent.Load() > 65536 && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			n, err = response.Body.Read(buffer)
			send(data, 0, buffer[:n])
		}
		whole := err == io.EOF && response != nil // RoundTrip too can say EOF
		if old {
			conn.Ping(ctx) // with its pong, the router has read the tail (4.2)
			conn.Close(map[bool]websocket.StatusCode{true: 1000, false: 1011}[whole], "")
		} else if whole {
			send(data, endStream, nil)
		} else if ctx.Err() == nil {
			send(rstStream, 0, []byte{0, 0, 3, 0xf3}) // (5.3)
		}
	}
	return func(kind, flags byte, payload []byte) {
		switch {
		case kind == header && !begun:
			head, begun = append(head, payload...), flags&endHeaders != 0
			send(windowUpdate, 0, binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) // (5.4)
			if begun {
				start(func() { answer([]io.Reader{body, nil}[flags&endStream]) })
			}
		case kind == data:
			before, after := turn, make(chan time.Time)
			turn = after
			go func() {
				defer close(after)
				<-before
				feed.Write(payload)
				send(windowUpdate, 0, binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) // (5.4)
				if flags&endStream != 0 {
					feed.Close()
				}
			}()
			if old {
				<-after // not to read is the only brake (4.3)
			}
		case kind == windowUpdate && len(payload) >= 4:
			sent.Add(-int64(binary.BigEndian.Uint32(payload)))
		case kind == rstStream:
			end()
		}
	}
}

// socket opens a socket (2.1), reads it until it is closed, and on 3.0 waits for nothing else (5.7).
func socket(url string, dialled, next func(), versions ...string) error {
	fields := http.Header{"Route": {*route}, "CrankerProtocol": {"1.0"}}
	options := &websocket.DialOptions{HTTPClient: client, HTTPHeader: fields, Subprotocols: versions}
	conn, _, err := websocket.Dial(context.Background(), url+query, options)
	dialled()
	if err != nil {
		return err
	}
	ctx, gone := context.WithCancel(context.Background())
	defer func() { gone(); conn.CloseNow() }()
	running, exchanges, old := sync.Map{}, sync.WaitGroup{}, conn.Subprotocol() != "cranker_3.0"
	defer context.AfterFunc(stopped, func() { conn.Ping(ctx); exchanges.Wait(); conn.Close(1001, "") })() // (6.3, 7.4)
	conn.SetReadLimit(1 << 20)
	for {
		kind, frame, err := conn.Read(ctx)
		if errors.Is(err, context.DeadlineExceeded) || err == nil && !old && kind == websocket.MessageText {
			continue // a pong found no way out (4.3); text has no meaning (5.5)
		} else if err != nil {
			return err
		}
		if text := strings.TrimSpace(string(frame)); old && kind == websocket.MessageText { // as on 3.0 (4.1)
			next() // (7.1)
			frame = []byte(markers[text[max(0, len(text)-2):]] + strings.TrimRight(text, "_123"))
		} else if old {
			frame = append([]byte{data, 0, 0, 0, 0, 1}, frame...)
		}
		if len(frame) < 6 || old && frame[0] > header {
			return conn.Close(1002, "")
		}
		id := binary.BigEndian.Uint32(frame[2:])
		if _, known := running.Load(id); !known && frame[0] == header {
			running.Store(id, exchange(ctx, conn, id, &running, exchanges.Go))
		}
		if take, known := running.Load(id); known {
			take.(func(byte, byte, []byte))(frame[0], frame[1], frame[6:])
		}
	}
}

func keep(router string) { // keeps one socket of the sliding window (7.1)
	next := sync.OnceFunc(func() { go keep(router) })
	dialling.RLock() // for ever when the connector stops
	open.Go(func() {
		log.Print(socket(router+"/register", dialling.RUnlock, next, strings.Fields(strings.ReplaceAll(","+*protocol, ",", " cranker_"))...))
		time.AfterFunc(time.Second+rand.N(time.Second), next) // (7.2)
	})
}

func main() {
	flag.Parse()
	routers := strings.Split(*router, ",")
	for _, router := range append(routers, routers...) { // two sockets each
		go keep(router)
	}
	signalled, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	<-signalled.Done()
	dialling.Lock() // what is under way completes (7.4)
	time.AfterFunc(10*time.Second, stop)
	for _, router := range routers {
		socket(router+"/deregister", func() {}, nil)
	}
	stop()
	open.Wait()
}
