package backend

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// place is a loopback address that nobody else is given, whether somebody listens there or not: a socket is bound to it
// for as long as it is held, and never listens. The kernel takes its port for no other socket, and refuses connections
// while no listener of the place is open.
//
// A port that is only bound again when its listener has closed may be taken in between, by one of the thousands of
// connections that the tests make.
type place struct {
	fd   int
	addr *unix.SockaddrInet4
}

// hold takes a free place.
func hold() (*place, error) {
	fd, err := bind(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &place{fd: fd, addr: bound.(*unix.SockaddrInet4)}, nil
}

// listen opens a listener. It must be closed before there is another.
func (p *place) listen() (net.Listener, error) {
	fd, err := bind(p.addr)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "backend")
	defer f.Close()
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, err
	}
	return net.FileListener(f)
}

func (p *place) release() { unix.Close(p.fd) }

// bind returns a socket that shares its address with others of ours alone: Go's listeners, which set SO_REUSEADDR, and
// connections are given another.
func bind(addr *unix.SockaddrInet4) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, addr)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
