/**
 * Gives every style element that a script makes the page's nonce. Monaco knows none, and the Content-Security-Policy
 * lets no style element in without it. Imported first, before anything that makes one.
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
