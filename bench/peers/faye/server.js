// Faye's Bayeux server with an echo service, as a peer for load programs.
import http from 'node:http';
import faye from 'faye';

const port = Number(process.argv[2] ?? 8082);
const bayeux = new faye.NodeAdapter({ mount: '/cometd', timeout: 30 });

// Faye has no remote calls. The nearest thing is an extension that puts the
// data into the acknowledgement.
const calls = new Map();
bayeux.addExtension({
  incoming(message, callback) {
    if (message.channel === '/service/echo') {
      calls.set(message.clientId + message.id, message.data);
    }
    callback(message);
  },
  outgoing(message, callback) {
    if (message.channel === '/service/echo' && message.successful !== undefined) {
      const key = message.clientId + message.id;
      message.data = calls.get(key);
      calls.delete(key);
    }
    callback(message);
  },
});

const server = http.createServer();
bayeux.attach(server);
server.keepAliveTimeout = 0;
server.listen(port, '127.0.0.1');
