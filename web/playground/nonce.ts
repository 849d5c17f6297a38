/**
 * Sets the page's nonce on every style element that a script creates, since Monaco does not and the
 * Content-Security-Policy requires it. Must be imported before anything that creates one.
 */
const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce;

if (nonce) {
  document.createElement = new Proxy(document.createElement, {
    apply(create, self, args) {
      const element: HTMLElement = Reflect.apply(create, self, args);
      if (element instanceof HTMLStyleElement) element.nonce = nonce;
      return element;
    },
  });
}
