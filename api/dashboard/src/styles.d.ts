// Style sheets are bundled by Vite; importing one gives no value.
declare module "*.css";
