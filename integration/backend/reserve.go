package backend

import (
	"net"
	"os"
	"syscall"
)

// place is a loopback address that nobody else is given, whether somebody listens there or not: a socket is bound to it
// for as long as it is held, and never listens. The kernel takes its port for no other socket, and refuses connections
// while no listener of the place is open.
//
// A port that is only bound again when its listener has closed may be taken in between, by one of the thousands of
// connections that the tests make.
type place struct {
	fd   int
	addr *syscall.SockaddrInet4
}

// hold takes a free place.
func hold() (*place, error) {
	fd, addr, err := bind(&syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return nil, err
	}
	p := &place{fd: fd, addr: addr}
	if err := p.share(0); err != nil {
		p.release()
		return nil, err
	}
	return p, nil
}

// listen opens a listener. It must be closed before there is another.
func (p *place) listen() (net.Listener, error) {
	if err := p.share(1); err != nil {
		return nil, err
	}
	fd, _, err := bind(p.addr)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "backend")
	defer f.Close()
	if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
		return nil, err
	}
	if err := p.share(0); err != nil {
		return nil, err
	}
	return net.FileListener(f)
}

// share says whether another socket that wants to may be bound to the port too. Go's listeners all want to, so it is 0
// but for the moment in which ours are bound.
func (p *place) share(on int) error {
	return syscall.SetsockoptInt(p.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, on)
}

func (p *place) release() { syscall.Close(p.fd) }

// bind returns a socket that shares its address, and that address.
func bind(addr *syscall.SockaddrInet4) (int, *syscall.SockaddrInet4, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, err
	}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, addr)
	}
	if err == nil {
		var bound syscall.Sockaddr
		if bound, err = syscall.Getsockname(fd); err == nil {
			return fd, bound.(*syscall.SockaddrInet4), nil
		}
	}
	syscall.Close(fd)
	return -1, nil, err
}
